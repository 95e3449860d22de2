import { describe, expect, it } from 'vitest';

/** Scripts of bench/compare are JavaScript: processes and pages load them as they are. */
const load = async <Module>(name: string): Promise<Module> =>
  (await import(
    /* @vite-ignore */ new URL(`../../bench/compare/${name}.mjs`, import.meta.url).href
  )) as Module;

type Outputs = Readonly<Record<string, Float32Array>>;
interface Entry {
  readonly name: string;
  readonly error: string | null;
  readonly ms: readonly number[];
  readonly maxAbsDiff?: number;
  readonly magnitude?: number;
  readonly close?: boolean | null;
  readonly timesReference?: number | null;
}
interface Rounds {
  alternate(
    open: (name: string) => Promise<{ about: string; run(): Promise<Outputs> }>,
    names: readonly string[],
    settings: { rounds: number; patienceMs: number; tell(text: string): void },
  ): Promise<{ entries: Entry[] }>;
}
interface Report {
  summarise(entries: readonly object[]): Entry[];
  faultsOf(result: { title: string; contestants: readonly object[] }): string[];
}
type Node = { id: string; op: string; operands: string[] };
interface Interpreter {
  splitConstant(graph: object): {
    constant: { nodes: Node[]; outputs: { value: string }[] };
    rest: { nodes: Node[] };
  };
  interpret(graph: object, ops: object, values: object): Readonly<Record<string, number>>;
}
interface CaseFiles {
  encodeCase(found: object): { json: string; bytes: Uint8Array };
  decodeCase(json: string, buffer: ArrayBufferLike): object;
}

const quiet = { tell: () => {} };

describe('rounds of contestants', () => {
  it('run each once, in an order that alternates, after a first run of each', async () => {
    const { alternate } = await load<Rounds>('rounds');
    const order: string[] = [];
    const open = async (name: string) => ({
      about: name,
      run: async () => {
        order.push(name);
        return { y: Float32Array.of(1) };
      },
    });
    const { entries } = await alternate(open, ['a', 'b'], { rounds: 2, patienceMs: 1e6, ...quiet });
    expect(order.join('')).toBe('ab' + 'ab' + 'ba');
    expect(entries.map(({ ms }) => ms.length)).toEqual([2, 2]);
  });

  it('run one that is slow once, and go on without one that fails', async () => {
    const { alternate } = await load<Rounds>('rounds');
    let runs = 0;
    const open = async (name: string) => {
      if (name === 'broken') throw new Error('no memory\nat line 1');
      return {
        about: name,
        run: async () => {
          runs++;
          return { y: Float32Array.of(1) };
        },
      };
    };
    const { entries } = await alternate(open, ['a', 'broken'], { rounds: 3, patienceMs: -1, ...quiet });
    expect(runs).toBe(1);
    expect(entries.map(({ ms }) => ms.length)).toEqual([1, 0]);
    expect(entries[1]?.error).toBe('no memory');
  });

  it('tell the largest difference of outputs; NaN is one, and so are other lengths', async () => {
    const { alternate } = await load<Rounds>('rounds');
    const results: Record<string, Outputs> = {
      a: { y: Float32Array.of(1, -4) },
      b: { y: Float32Array.of(1.5, -4) },
      c: { y: Float32Array.of(1, Number.NaN) },
      d: { y: Float32Array.of(1) },
    };
    const open = async (name: string) => ({ about: name, run: async () => results[name] as Outputs });
    const { entries } = await alternate(open, Object.keys(results), { rounds: 1, patienceMs: 1e6, ...quiet });
    expect(entries.map(({ maxAbsDiff }) => maxAbsDiff)).toEqual([
      0,
      0.5,
      Number.POSITIVE_INFINITY,
      undefined,
    ]);
    expect(entries[0]?.magnitude).toBe(4);
    expect(entries[3]?.error).toBe('y: expected 2 elements, got 1');
  });
});

describe('the report of a comparison', () => {
  const entry = (name: string, ms: readonly number[], maxAbsDiff: number) => ({
    name,
    about: name,
    error: null,
    ms,
    cpuMs: [],
    maxAbsDiff,
    magnitude: 10,
  });

  it('compares times within rounds', async () => {
    const { summarise } = await load<Report>('report');
    const [, twice] = summarise([entry('autochunk', [1, 10, 100], 0), entry('other', [2, 40, 200], 0)]);
    expect(twice?.timesReference).toBe(2);
  });

  it('blames autochunk for wrong peaks, and for results that nobody else has', async () => {
    const { summarise, faultsOf } = await load<Report>('report');
    const own = { ...entry('autochunk', [1], 0), peakBytes: 8, plannedPeakBytes: 8 };
    const right = entry('right', [1], 1e-6);
    const wrong = entry('wrong', [1], 1);
    const faults = (...entries: readonly object[]) =>
      faultsOf({ title: 'case', contestants: summarise(entries) });
    expect(faults(own, right, wrong)).toEqual([]);
    expect(faults(own, wrong)).toEqual(['case: no other library has the same results']);
    expect(faults({ ...own, peakBytes: 12 }, right)).toEqual([
      'case: autochunk: planned 8 bytes, measured 12',
    ]);
  });
});

describe('graphs on other libraries', () => {
  const node = (id: string, op: string, ...operands: string[]): Node => ({ id, op, operands });
  const graph = {
    params: [{ id: 'w' }],
    inputs: [{ id: 'x' }],
    nodes: [
      node('w2', 'double', 'w'),
      node('a', 'double', 'x'),
      node('b', 'sum', 'a', 'w2'),
      node('c', 'sum', 'b', 'a'),
      node('unused', 'double', 'c'),
    ],
    outputs: [{ name: 'y', value: 'c' }],
  };

  it('compute what depends on parameters alone once', async () => {
    const { splitConstant } = await load<Interpreter>('interpret');
    const { constant, rest } = splitConstant(graph);
    expect(constant.nodes.map(({ id }) => id)).toEqual(['w2']);
    expect(constant.outputs.map(({ value }) => value)).toEqual(['w2']);
    expect(rest.nodes.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'unused']);
  });

  it('release every value once, after the last node that reads it, and keep what was given', async () => {
    const { interpret } = await load<Interpreter>('interpret');
    const released: number[] = [];
    const ops = {
      double: (_: Node, value: number) => 2 * value,
      sum: (_: Node, a: number, b: number) => a + b,
      release: (value: number) => released.push(value),
    };
    // w2 = 6, a = 10, b = 16, c = 26, unused = 52
    expect(interpret(graph, ops, { w: 3, x: 5 })).toEqual({ y: 26 });
    expect([...released].sort((a, b) => a - b)).toEqual([6, 10, 16, 52]);
  });

  it('name an op that is not known', async () => {
    const { interpret } = await load<Interpreter>('interpret');
    const ops = { library: 'this library', release: () => {} };
    expect(() => interpret(graph, ops, { w: 3, x: 5 })).toThrow(
      'double (w2): this op has no translation to this library',
    );
  });

  it('come with their data in two files', async () => {
    const { encodeCase, decodeCase } = await load<CaseFiles>('case-files');
    const data = {
      inputs: { x: Float32Array.of(1, 2) },
      params: { w: Float32Array.of(3), v: new Float32Array(0) },
    };
    const { json, bytes } = encodeCase({ graph, names: { ops: ['y'] }, data });
    expect(decodeCase(json, bytes.buffer)).toEqual({ graph, names: { ops: ['y'] }, data });
  });
});
