import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readUnetConfig, SD15, SD21, UNET_SMALL } from '../../models/unet/config.ts';
import { fromConfig, unet, unetSd15, unetSd21, unetSmall, weightNames } from '../../models/unet/model.ts';
import { compileModel } from '../../src/compile.ts';
import { UserError } from '../../src/errors.ts';
import * as runtime from '../../src/runtime/index.ts';
import { comparePlan, randomData } from '../../src/testing/index.ts';
import { trace } from '../../src/trace/tracer.ts';
import { matchParameters, type WeightTensor } from '../../src/weights/index.ts';
import { testBackends } from '../support/backends.ts';
import { evalGraph } from '../support/eval-graph.ts';
import { messageOf } from '../weights/support.ts';
import {
  bits,
  maxDifference,
  type Outputs,
  openFixture,
  parameterCount,
  planOrRefusal,
  runOn,
  unchunkedPlan,
} from './vision.ts';

const fixture = openFixture('unet-small.safetensors');
const inputs = {
  sample: fixture.tensor('input.sample'),
  timestep: fixture.tensor('input.timestep'),
  encoder_hidden_states: fixture.tensor('input.encoder_hidden_states'),
};
const reference = fixture.tensor('output.sample').data;
/** 16 × 16 latents and 7 tokens. */
const dims = { B: 1, H: 8, W: 8, L: 7 };
/** What the fixture allows a float32 implementation, and a float64 one. */
const TOLERANCE = 2e-5;
const TOLERANCE_F64 = 2e-6;

test('the published sizes have the published numbers of parameters', () => {
  expect(parameterCount(unetSd15)).toBe(859_520_964);
  expect(parameterCount(unetSd21)).toBe(865_910_724);
  expect(parameterCount(unetSmall)).toBe(790_404);
});

test('the traced model, interpreted in float64, agrees with the original implementation', () => {
  const graph = trace(unetSmall);
  const params = matchParameters(graph.params, fixture.tensors, { ...weightNames, file: fixture.file });
  expect(params.size).toBe(208);
  const { sample } = evalGraph(graph, dims, inputs, params);
  expect(sample?.shape).toEqual([1, 4, 16, 16]);
  expect(maxDifference(sample!.data, reference)).toBeLessThan(TOLERANCE_F64);
});

describe.each(testBackends)('unet-small on %s', (backend) => {
  let device: runtime.Device;
  let whole: Outputs;
  beforeAll(async () => {
    device = await runtime.openDevice({ backend });
    const { plan } = await compileModel(unetSmall, { dims, budget: '100%', backend });
    const run = await runOn(device, unchunkedPlan(plan), fixture, inputs, weightNames);
    expect(run.peakBytes).toBe(plan.unchunked.peakBytes);
    whole = run.outputs;
  });
  afterAll(() => device.destroy());

  test('agrees with the original implementation', () => {
    expect(maxDifference(whole.sample!, reference)).toBeLessThan(TOLERANCE);
  });

  test.each(['50%', '20%', 'min'])('at %s: unchanged bits, the planned peak', async (budget) => {
    const { plan } = await planOrRefusal(unetSmall, dims, budget, backend);
    expect(plan.loops.length).toBeGreaterThan(0);
    const { outputs, peakBytes } = await runOn(device, plan, fixture, inputs, weightNames);
    expect(peakBytes).toBe(plan.planned.peakBytes);
    expect(bits(outputs.sample!).equals(bits(whole.sample!))).toBe(true);
  });
});

test('every image of a batch is what it is alone', async () => {
  const twice = ({ shape, data, dtype }: WeightTensor): WeightTensor => ({
    shape: [2, ...shape.slice(1)],
    data: Float32Array.from({ length: 2 * data.length }, (_, i) => data[i % data.length] as number),
    dtype,
  });
  const { sample, timestep, encoder_hidden_states } = inputs;
  const batch = { sample: twice(sample), timestep, encoder_hidden_states: twice(encoder_hidden_states) };
  const device = await runtime.openDevice({ backend: 'webasm' });
  const options = { dims: { ...dims, B: 2 }, budget: '30%', backend: 'webasm' } as const;
  const { plan } = await compileModel(unetSmall, options);
  const { outputs, peakBytes } = await runOn(device, plan, fixture, batch, weightNames);
  await device.destroy();
  expect(peakBytes).toBe(plan.planned.peakBytes);
  const half = reference.length;
  expect(maxDifference(outputs.sample!.subarray(0, half), reference)).toBeLessThan(TOLERANCE);
  expect(outputs.sample!.slice(half)).toEqual(outputs.sample!.slice(0, half));
});

describe('a small Stable Diffusion 2: four resolutions, heads of each, linear projections', () => {
  const config = {
    ...SD21,
    layers_per_block: 1,
    block_out_channels: [8, 16, 32, 32],
    attention_head_dim: [1, 2, 4, 4],
    norm_num_groups: 4,
    cross_attention_dim: 12,
  };

  test('two oblong images at 40%: unchanged bits, the planned peak', async () => {
    const backend = 'webasm';
    const options = { dims: { B: 2, H: 1, W: 3, L: 5 }, budget: '40%', backend } as const;
    const { plan } = await compileModel(unet('unet-sd2-small', config), options);
    expect(plan.loops.length).toBeGreaterThan(0);
    const device = await runtime.openDevice({ backend });
    const { failures, chunked } = await comparePlan(plan, device, randomData(plan.graph, 7));
    await device.destroy();
    expect(failures).toEqual([]);
    const { sample } = chunked.outputs;
    expect(sample).toHaveLength(2 * 4 * 8 * 24);
    expect(sample?.every(Number.isFinite)).toBe(true);
  });
});

describe('Stable Diffusion 1.5 at 64 × 64 latents', () => {
  test.each([
    ['50%', 0.5],
    ['40%', 0.4],
    ['20%', 0.2],
  ] as const)('compiles at %s', async (budget, share) => {
    const { plan } = await compileModel(unetSd15, {
      dims: { B: 1, H: 8, W: 8, L: 77 },
      budget,
      backend: 'webgpu',
    });
    expect(plan.planned.peakBytes).toBeLessThanOrEqual(share * plan.unchunked.peakBytes);
    expect(plan.loops.length).toBeGreaterThan(0);
  });
});

test('sizes count units of the lowest resolution, so that every size can be halved', async () => {
  const graph = trace(unetSd15);
  expect(graph.inputs.map(({ shape }) => shape)).toEqual([['B', 4, '8*H', '8*W'], [1], ['B', 'L', 768]]);
  const options = { dims: { B: 1, H: 7.5, W: 8, L: 77 }, budget: '50%', backend: 'cpu' } as const;
  await expect(compileModel(unetSd15, options)).rejects.toThrow(UserError);
});

describe('config.json', () => {
  test('of the fixture and of the published checkpoints gives their models', () => {
    expect(readUnetConfig(JSON.parse(fixture.metadata.config as string))).toEqual(UNET_SMALL);
    const { attention_head_dim, cross_attention_dim, use_linear_projection } = SD21;
    const _class_name = 'UNet2DConditionModel';
    expect(readUnetConfig({ _class_name, cross_attention_dim: 768, sample_size: 64 })).toEqual(SD15);
    expect(
      readUnetConfig({ _class_name, attention_head_dim, cross_attention_dim, use_linear_projection }),
    ).toEqual(SD21);
    expect(parameterCount(fromConfig({ cross_attention_dim: 768 }))).toBe(859_520_964);
  });

  test('everything that is wrong is said at once', () => {
    const wrong = {
      act_fn: 'gelu',
      down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
      class_embed_type: 'timestep',
      layers_per_block: [1, 2],
      norm_eps: '1e-5',
    };
    expect(messageOf(() => fromConfig(wrong, 'unet/config.json'))).toMatchInlineSnapshot(`
      "unet/config.json cannot be used
        wrong (2):
          layers_per_block: expected a positive integer, got [1,2]
          norm_eps: expected a positive number, got "1e-5"
        not supported (3):
          down_block_types: expected a list of CrossAttnDownBlock2D and DownBlock2D, got ["DownBlock2D","AttnDownBlock2D"]
          act_fn: "gelu" is not supported: activations are SiLU
          class_embed_type: "timestep" is not supported: there are no class embeddings"
    `);
    const levels = { block_out_channels: [32, 60], attention_head_dim: [4, 7, 8] };
    expect(messageOf(() => readUnetConfig(levels))).toMatchInlineSnapshot(`
      "config.json cannot be used
        wrong (5):
          down_block_types: 4 entries for the 2 of block_out_channels
          up_block_types: 4 entries for the 2 of block_out_channels
          attention_head_dim: 3 entries for the 2 of block_out_channels
          attention_head_dim: 7 heads do not divide 60 channels
          norm_num_groups: 32 groups do not divide 60 channels"
    `);
  });
});
