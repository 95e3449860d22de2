import {
  add,
  compileModel,
  defineModel,
  einsum,
  f32,
  geglu,
  loadModule,
  type Model,
  maxPool2d,
  nn,
  pad,
  permute,
  reshape,
  silu,
  softmax,
  upsampleNearest2d,
} from 'autochunk';
import * as runtime from 'autochunk/runtime';
import { describe, expect, it } from 'vitest';
import { randomSource } from '../../src/testing/random.ts';
import { testBackends } from '../support/backends.ts';

const image = defineModel('image', { x: f32('B', 8, '4*H', '4*W') }, ({ x }) => {
  const wide = nn.conv2d('wide', x, 24, 3, { padding: 1, groups: 2 });
  const normal = silu(nn.groupNorm('norm', wide, { groups: 6 }));
  const mixed = nn.conv2d('mixed', normal, 32, 1);
  const small = maxPool2d(nn.conv2d('patches', mixed, 16, 2, { stride: 2 }), { kernel: 2 });
  const large = nn.conv2d('out', upsampleNearest2d(small, { scale: 4 }), 8, 3, { padding: 1 });
  return add(x, large);
});

const pair = defineModel('pair', { m: f32('S', 'N', 8), z: f32('N', 'N', 4) }, ({ m, z }) => {
  const left = nn.linear('left', m, 6);
  const right = nn.linear('right', m, 6);
  const outer = reshape(einsum('sia,sjb->ijab', left, right), ['N', 'N', 36]);
  const joined = add(z, nn.linear('out', outer, 4));
  const update = einsum('ikc,jkc->ijc', nn.linear('a', joined, 8), nn.linear('b', joined, 8));
  const gated = geglu(nn.linear('gate', softmax(update), 16));
  return permute(pad(gated, [[0, 1]]), [1, 0, 2]);
});

const models: readonly (readonly [Model, Readonly<Record<string, number>>])[] = [
  [image, { B: 2, H: 3, W: 5 }],
  [pair, { S: 5, N: 12 }],
];

async function run(source: string, backend: runtime.BackendName) {
  const module = await loadModule(source, runtime);
  const device = await runtime.openDevice({ backend });
  try {
    const next = randomSource(3);
    const numbers = (shape: readonly number[]): number[] =>
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next() * 2 - 1);
    const values = Object.entries(module.info.inputs).map(([id, { shape }]) => [id, numbers(shape)]);
    const inputs = runtime.uploadInputs(device, module.info.inputs, Object.fromEntries(values));
    const weights = Object.values(module.info.params).map(
      ({ key, shape }) => [key, { shape, data: numbers(shape) }] as const,
    );
    const params = runtime.loadParameters(device, module.info.params, new Map(weights));
    device.memory.resetPeak();
    const { output } = await module.run(device, inputs, params);
    const { peakBytes } = device.memory;
    return {
      peakBytes,
      planned: module.info.plannedPeakBytes,
      data: await device.read(output as runtime.Tensor),
    };
  } finally {
    await device.destroy();
  }
}

describe.each(models)('%# of images and pairs', (model, dims) => {
  it.each(testBackends)('is the same chunked, within the planned peak, on %s', async (backend) => {
    const whole = await compileModel(model, { dims, budget: '100%', backend });
    const chunked = await compileModel(model, { dims, budget: 'min', backend });
    expect(chunked.plan.loops.length).toBeGreaterThan(0);
    expect(chunked.plan.planned.peakBytes).toBeLessThan(0.8 * whole.plan.planned.peakBytes);
    const [a, b] = [await run(whole.source, backend), await run(chunked.source, backend)];
    expect(b.data).toEqual(a.data);
    expect([a.peakBytes, b.peakBytes]).toEqual([a.planned, b.planned]);
  });
});
