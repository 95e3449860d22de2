import { defineModel, f32 } from 'autochunk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALPHAFOLD2, EVOFORMER_SMALL } from '../../models/evoformer/config.ts';
import { triangleMultiplication } from '../../models/evoformer/triangle.ts';
import { parseBudget } from '../../src/compiler/budget.ts';
import { placeLoops } from '../../src/compiler/loops/place-loops.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import type { Graph, ValueId } from '../../src/ir/node.ts';
import type { Program, Step } from '../../src/ir/program.ts';
import { type Device, openDevice } from '../../src/runtime/index.ts';
import { comparePlan } from '../../src/testing/index.ts';
import { trace } from '../../src/trace/tracer.ts';
import { GraphBuilder } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';

const stepsOf = (steps: readonly Step[]): Step[] =>
  steps.flatMap((step) => [step, ...(step.kind === 'loop' ? stepsOf(step.steps) : [])]);
/** Which values are written over which others. */
const overwriting = ({ steps }: Program): string[] =>
  stepsOf(steps).flatMap((step) =>
    step.kind === 'view' && step.view.kind === 'same' ? [`${step.value} over ${step.of}`] : [],
  );

/** Lowers a graph; what it computes is what it computes with a storage for every op. */
function lowered(graph: Graph): Program {
  const program = lower(graph);
  const data = randomData(program);
  expect(interpret(program, data).outputs).toEqual(
    interpret(lower(graph, {}, { inPlace: false }), data).outputs,
  );
  return program;
}

type Build = (b: GraphBuilder, x: ValueId, e: ValueId) => Record<string, ValueId>;
const relu = (b: GraphBuilder, of: ValueId): ValueId => b.op('y', 'relu', [of]);

const CASES: readonly [string, Build, readonly string[]][] = [
  ['an operand that nothing reads later', (b, _, e) => ({ y: relu(b, e) }), ['y over e']],
  [
    'the second operand where the first is an input',
    (b, x, e) => ({ y: b.op('y', 'add', [x, e]) }),
    ['y over e'],
  ],
  ['one that is both operands', (b, _, e) => ({ y: b.op('y', 'mul', [e, e]) }), ['y over e']],
  [
    'no operand that is read later',
    (b, _, e) => ({ z: b.op('z', 'matmul', [b.op('r', 'relu', [e]), e], {}) }),
    [],
  ],
  [
    'no operand that a view shows later',
    (b, _, e) => {
      const seen = b.op('seen', 'permute', [e], { axes: [1, 0] });
      const r = b.op('r', 'relu', [e]);
      return { z: b.op('z', 'matmul', [r, seen], {}) };
    },
    [],
  ],
  ['no output', (b, _, e) => ({ e, y: relu(b, e) }), []],
  ['no input', (b, x) => ({ y: relu(b, x) }), []],
  [
    'no operand that is repeated',
    (b, x) => ({ y: b.op('y', 'add', [b.op('row', 'sum', [x], { axis: 0, keepdims: true }), x]) }),
    [],
  ],
  [
    'no operand in another order',
    (b, x, e) => ({ y: b.op('y', 'add', [b.op('turned', 'permute', [e], { axes: [1, 0] }), x]) }),
    [],
  ],
  [
    'no part of an operand',
    (b, _, e) => ({ y: relu(b, b.op('p', 'slice', [e], { axis: 0, start: 1, length: 2 })) }),
    [],
  ],
  [
    'an operand in another shape, and a row-wise op',
    (b, _, e) => ({
      y: b.op('y', 'softmax', [b.op('flat', 'reshape', [e], { shape: [8, 2] })], { axis: 1 }),
    }),
    ['y over flat'],
  ],
];

it.each(CASES)('an op writes over %s', (_, build, expected) => {
  const b = new GraphBuilder('one');
  const x = b.input('x', [4, 4]);
  const e = b.op('e', 'exp', [x]);
  expect(overwriting(lowered(b.build(build(b, x, e))))).toEqual(expected);
});

it('a donated input is written over, and is the output', () => {
  const b = new GraphBuilder('donated');
  const x = b.input('x', [4, 4]);
  const graph = b.build({ y: relu(b, x) });
  const program = lowered({ ...graph, inputs: graph.inputs.map((input) => ({ ...input, donated: true })) });
  expect(overwriting(program)).toEqual(['y over x']);
  expect(stepsOf(program.steps).map(({ kind }) => kind)).toEqual(['view', 'call']);
});

describe('the result of a loop', () => {
  const rows = { axis: 0, multiple: 1 };
  /** A residual layer cut along its rows: what is added to `h`, which an op before has made. */
  const residual = (build: (b: GraphBuilder, h: ValueId, u: ValueId) => ValueId): Graph => {
    const b = new GraphBuilder('residual');
    const h = b.op('h', 'exp', [b.input('x', [5, 4])]);
    const u = b.op('u', 'relu', [b.op('up', 'linear', [h, b.param('w', [4, 4])])]);
    const graph = b.build({ y: build(b, h, u) });
    const cuts = new Map(graph.nodes.flatMap(({ id }) => (id === 'h' ? [] : [[id, rows] as const])));
    return placeLoops(graph, [{ region: { cuts, extent: 5 }, chunkSize: 2 }]);
  };

  it('takes over an operand of which every iteration reads just its own part', () => {
    const program = lowered(residual((b, h, u) => b.op('y', 'add', [h, u])));
    expect(overwriting(program)).toContain('y over h');
    expect(interpret(program, randomData(program)).peakBytes).toBe((20 + 20 + 8) * 4);
  });

  it('is copied from a chunk where its kernel reads more than the element it writes', () => {
    const program = lowered(
      residual((b, h, u) => b.op('y', 'linear', [b.op('s', 'add', [h, u]), b.param('v', [4, 4])])),
    );
    expect(overwriting(program)).toContain('y over h');
    const direct = lowered(residual((b, h) => b.op('y', 'linear', [h, b.param('v', [4, 4])])));
    expect(overwriting(direct)).toContain('y over h');
    expect(stepsOf(direct.steps).some((step) => step.kind === 'call' && step.node.op === 'copy')).toBe(true);
  });

  it('has a storage of its own where the operand is needed later', () => {
    const b = new GraphBuilder('kept');
    const h = b.op('h', 'exp', [b.input('x', [5, 4])]);
    const graph = b.build({
      y: b.op('y', 'relu', [h]),
      z: b.op('z', 'sum', [h], { axis: 0, keepdims: false }),
    });
    const region = { cuts: new Map([['y', rows]]), extent: 5 };
    const program = lowered(placeLoops(graph, [{ region, chunkSize: 2 }]));
    expect(overwriting(program)).toEqual([]);
  });
});

describe('triangle multiplication', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend: 'cpu' });
  });
  afterAll(() => device.destroy());

  const model = (edges: 'outgoing' | 'incoming', donated: boolean, config = ALPHAFOLD2): Graph => {
    const z = f32('N_res', 'N_res', config.c_z, { donated });
    return trace(
      defineModel('triangle', { z, mask: f32('N_res', 'N_res') }, (inputs) =>
        triangleMultiplication(inputs.z, inputs.mask, config, edges),
      ),
    );
  };
  const smallest = (graph: Graph, n: number) =>
    plan(graph, { dims: { N_res: n }, budget: parseBudget('min'), backend: 'cpu' });

  it.each(['outgoing', 'incoming'] as const)(
    'of %s edges takes 2.1 times the pairs it is given to keep, 3.1 times those it is not',
    async (edges) => {
      const shares = [true, false].map((donated) => {
        const { planned } = smallest(model(edges, donated), 128);
        return planned.peakBytes / (128 * 128 * ALPHAFOLD2.c_z * 4);
      });
      console.log(`${edges}: ${shares.map((share) => share.toFixed(3)).join(' and ')} times the pair tensor`);
      expect(shares[0]).toBeLessThanOrEqual(2.1);
      expect(shares[1]).toBeLessThanOrEqual(3.1);
      const small = smallest(model(edges, true, EVOFORMER_SMALL), 9);
      expect((await comparePlan(small, device)).failures).toEqual([]);
    },
  );
});
