import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { generateRangeModule } from '../../src/codegen/generate-range.ts';
import { infoAt, loadModule, loadRangeModule, type RangeModule } from '../../src/codegen/load.ts';
import { compileModel } from '../../src/index.ts';
import type { Plan } from '../../src/ir/plan.ts';
import type { RangePlan } from '../../src/ir/range-plan.ts';
import * as runtime from '../../src/runtime/index.ts';
import { attention, COST_MODEL } from './attention.ts';

const compiled = await compileModel(attention, {
  dims: { N: { from: 2, to: 60 } },
  budget: '80%',
  backend: 'cpu',
  costModel: COST_MODEL,
  modelFile: 'models/attention/model.ts',
});

it('is typed by whether a dimension has a range', () => {
  expectTypeOf(compiled.plan).toEqualTypeOf<RangePlan>();
  const fixed = () => compileModel(attention, { dims: { N: 9 }, budget: 'min' });
  expectTypeOf(fixed).returns.resolves.toHaveProperty('plan').toEqualTypeOf<Plan>();
});

it('looks as it did', async () => {
  await expect(compiled.source).toMatchFileSnapshot('../golden/attention-range.ts');
});

it('is the same for the same plan', () => {
  expect(generateRangeModule(compiled.plan, { modelFile: 'models/attention/model.ts' })).toBe(
    compiled.source,
  );
});

describe('a loaded module for a range', () => {
  const { source } = compiled;
  let device: runtime.Device;
  let module: RangeModule<runtime.Device, runtime.Tensor>;
  beforeAll(async () => {
    device = await runtime.openDevice({ backend: 'cpu' });
    module = loadRangeModule<runtime.Device, runtime.Tensor>(source, runtime);
  });
  afterAll(() => device.destroy());
  const data = (n: number, rows = n): Record<string, number[]> => ({
    tokens: Array.from({ length: n }, (_, i) => i % 11),
    bias: Array.from({ length: rows * rows }, () => 0),
  });
  const params = () =>
    Object.fromEntries(
      Object.entries(module.info.params).map(([id, { shape }]) => [
        id,
        device.parameter(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.1), shape),
      ]),
    );
  const inputs = (n: number) => runtime.uploadInputs(device, module.info.inputs, data(n));

  it('takes its size from the inputs', async () => {
    const result = await module.run(device, inputs(7), params());
    expect(result.y?.shape).toEqual([7, 16]);
    expect(result.rows?.shape).toEqual([7, 7]);
  });

  it('refuses sizes outside its range', async () => {
    for (const n of [1, 61]) {
      await expect(module.run(device, inputs(n), params())).rejects.toThrow(
        `attention: N = ${n} (axis 0 of input tokens) is outside the range 2 … 60 that this module is for`,
      );
      expect(() => infoAt(module, n)).toThrow('is outside the range 2 … 60');
    }
  });

  it('refuses inputs that do not agree, and inputs of another rank, extent or element type', async () => {
    const good = inputs(5);
    const wrong = async (more: Record<string, runtime.Tensor>, message: string) =>
      expect(module.run(device, { ...good, ...more }, params())).rejects.toThrow(message);
    await wrong(
      { bias: device.alloc([5, 6]) },
      'attention: input bias is [5, 6] of f32, expected [N, N] of f32: N is 5 by axis 0 of input tokens',
    );
    await wrong({ bias: device.alloc([25]) }, 'input bias is [25] of f32, expected [N, N] of f32');
    await wrong({ tokens: device.alloc([5]) }, 'input tokens is [5] of f32, expected [N] of i32');
    await expect(module.run(device, { tokens: good.tokens as runtime.Tensor }, params())).rejects.toThrow(
      'there is no input bias, expected [N, N] of f32',
    );
  });

  it('says what it is at one size', () => {
    const info = infoAt(module, 9);
    expect(info.dims).toEqual({ N: 9 });
    expect(info.inputs.bias).toEqual({ shape: [9, 9], dtype: 'f32' });
    expect(info.outputs.y?.shape).toEqual([9, 16]);
    expect(info.plannedPeakBytes).toBe(module.plannedPeakBytes(9));
  });

  it('is loaded as what it is', async () => {
    expect(() => loadModule(source, runtime)).toThrow(
      'this module is for a range of N: load it with loadRangeModule',
    );
    const fixed = await compileModel(attention, { dims: { N: 9 }, budget: '100%' });
    expect(() => loadRangeModule(fixed.source, runtime)).toThrow(
      'this module is for one size, not for a range',
    );
    expect(() => loadRangeModule(source.replace('N: [2, 60]', 'N: [2]'), runtime)).toThrow('no proper range');
    expect(() => loadRangeModule(source.replace(/plannedPeakBytes\(/g, 'other('), runtime)).toThrow(
      'no function `plannedPeakBytes`',
    );
  });
});

describe('uploading the inputs of a module for a range', () => {
  const specs = { image: { shape: [1, '8*H', '2*H'], dtype: 'f32' } } as const;
  const zeros = (count: number) => ({ image: new Float32Array(count) });

  it('solves for the dimension, which extents may be multiples of', async () => {
    const device = await runtime.openDevice({ backend: 'cpu' });
    expect(runtime.uploadInputs(device, specs, zeros(16 * 9)).image.shape).toEqual([1, 24, 6]);
    expect(() => runtime.uploadInputs(device, specs, zeros(16 * 8))).toThrow(
      '[1, 24, 6] has 144 elements, got 128',
    );
    const both = { x: { shape: ['A', 'B'], dtype: 'f32' } } as const;
    expect(() => runtime.uploadInputs(device, both, { x: [1, 2] })).toThrow(
      'input x: its elements do not tell A',
    );
    expect(runtime.uploadInputs(device, both, { x: [1, 2] }, { A: 2 }).x.shape).toEqual([2, 1]);
    await device.destroy();
  });
});
