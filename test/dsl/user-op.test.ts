import {
  compileModel,
  type Dim,
  defineModel,
  defineOp,
  f32,
  i32,
  loadModule,
  nn,
  pattern,
  sum,
  type Tensor,
} from 'autochunk';
import * as runtime from 'autochunk/runtime';
import { describe, expect, it } from 'vitest';
import { testBackends } from '../support/backends.ts';

const shrinkKernel = runtime.defineKernel(
  function softThreshold(this: runtime.KernelThis, a: runtime.KernelArray, amount: number): number {
    const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
    return Math.max(Math.abs(x) - amount, 0) * (x < 0 ? -1 : 1);
  },
  1,
  ['Number'],
);

const shrink = defineOp<
  <N extends Dim, C extends Dim>(x: Tensor<[N, C]>, attrs?: { amount: number }) => Tensor<[N, C]>
>({
  name: 'testSoftThreshold',
  summary: 'x moved towards 0 by an amount',
  defaults: { amount: 0.5 },
  infer: ([x]) => ({ shape: x?.shape ?? [], dtype: 'f32' }),
  access: ([x], _attrs, out) => pattern('n c -> n c', [x?.shape ?? []], out.shape),
  reference: ([x], attrs) =>
    (x?.data ?? new Float64Array()).map(
      (value) => Math.sign(value) * Math.max(Math.abs(value) - (attrs.amount as number), 0),
    ),
  kernel: (x: runtime.Tensor, { into, amount = 0.5 }: runtime.KernelOptions & { amount?: number }) =>
    runtime.dispatchFolded(into.device, shrinkKernel, into.view, [x.view], [amount]),
});

const silent = defineOp<<N extends Dim>(x: Tensor<[N]>) => Tensor<[N]>>({
  name: 'testSilent',
  infer: ([x]) => ({ shape: x?.shape ?? [], dtype: 'f32' }),
  reference: ([x]) => x?.data ?? new Float64Array(),
});

const model = defineModel('shrinking', { x: f32('N', 8) }, ({ x }) => {
  const wide = nn.linear('up', x, 64);
  const small = shrink(wide, { amount: 0.25 });
  return sum(shrink(small), -1);
});

async function run(source: string, backend: runtime.BackendName) {
  const module = await loadModule(source, runtime);
  const device = await runtime.openDevice({ backend });
  try {
    const numbers = (count: number): number[] =>
      Array.from({ length: count }, (_, i) => ((i * 37) % 101) / 50 - 1);
    const weights = new Map(
      Object.values(module.info.params).map(({ key, shape }) => [
        key,
        { shape, data: numbers(shape.reduce((a, b) => a * b, 1)) },
      ]),
    );
    const inputs = runtime.uploadInputs(device, module.info.inputs, { x: numbers(40 * 8) });
    const params = runtime.loadParameters(device, module.info.params, weights);
    device.memory.resetPeak();
    const { output } = await module.run(device, inputs, params);
    return {
      peakBytes: device.memory.peakBytes,
      planned: module.info.plannedPeakBytes,
      data: await device.read(output as runtime.Tensor),
    };
  } finally {
    await device.destroy();
  }
}

describe('an op of the user', () => {
  it.each(testBackends)('is traced, cut and run like ours on %s', async (backend) => {
    const dims = { N: 40 };
    const whole = await compileModel(model, { dims, budget: '100%', backend });
    const chunked = await compileModel(model, { dims, budget: '30%', backend });
    expect(chunked.plan.loops.length).toBeGreaterThan(0);
    expect(chunked.source).toContain("k.user('testSoftThreshold')(");
    expect(chunked.source).toContain('amount: 0.25');
    const [a, b] = [await run(whole.source, backend), await run(chunked.source, backend)];
    expect(b.data).toEqual(a.data);
    expect(a.data.some((value) => value !== 0)).toBe(true);
    expect([a.peakBytes, b.peakBytes]).toEqual([a.planned, b.planned]);
  });

  it('without a kernel only traces; a module that needs it says so', async () => {
    const quiet = defineModel('quiet', { x: f32('N') }, ({ x }) => silent(x));
    const { source } = await compileModel(quiet, { dims: { N: 3 }, budget: '100%', backend: 'cpu' });
    const module = await loadModule(source, runtime);
    const device = await runtime.openDevice({ backend: 'cpu' });
    const inputs = runtime.uploadInputs(device, module.info.inputs, { x: [1, 2, 3] });
    await expect(module.run(device, inputs, {})).rejects.toThrow(
      'the op "testSilent" has no kernel here. Import the file that defines it',
    );
    await device.destroy();
  });

  it('has one kernel', () => {
    expect(() => runtime.registerKernel('testSoftThreshold', () => undefined)).toThrow(
      'the op "testSoftThreshold" has a kernel already',
    );
  });
});

describe('inputs of a generated module', () => {
  it('are checked where they are uploaded', async () => {
    const lookUp = defineModel('lookUp', { ids: i32('N'), x: f32(2) }, ({ ids, x }) => ({
      rows: nn.embedding('table', ids, [5, 2]),
      x: sum(x),
    }));
    const { source } = await compileModel(lookUp, { dims: { N: 3 }, budget: '100%', backend: 'cpu' });
    const { info } = await loadModule(source, runtime);
    const device = await runtime.openDevice({ backend: 'cpu' });
    const x = [1, 2];
    const fault = (values: Record<string, number[]>): string => {
      try {
        runtime.uploadInputs(device, info.inputs, values);
        return 'no error';
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message}`;
      }
    };
    expect([
      fault({ ids: [0, 4, 5], x }),
      fault({ ids: [0, -1, 2], x }),
      fault({ ids: [0, 1.5, 2], x }),
      fault({ ids: [0, 1], x }),
      fault({ x, tokens: [1] }),
      fault({ ids: [0, 1, 4], x }),
    ]).toMatchInlineSnapshot(`
      [
        "UserError: input ids: 5 at element 2 is out of range: ids must be 0 … 4",
        "UserError: input ids: -1 at element 1 is out of range: ids must be 0 … 4",
        "UserError: input ids: expected integers, got 1.5 at element 1",
        "UserError: input ids: [3] has 3 elements, got 2",
        "UserError: no value for ids; there is no input tokens; the inputs are ids, x",
        "no error",
      ]
    `);
    await device.destroy();
  });
});
