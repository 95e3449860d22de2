import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readVitConfig, VIT_B16, VIT_L16, VIT_TINY } from '../../models/vit/config.ts';
import {
  fromConfig,
  vit,
  vitB16,
  vitB16Large,
  vitL16,
  vitTiny,
  weightNames,
} from '../../models/vit/model.ts';
import { compileModel } from '../../src/compile.ts';
import { UserError } from '../../src/errors.ts';
import * as runtime from '../../src/runtime/index.ts';
import { trace } from '../../src/trace/tracer.ts';
import { matchParameters } from '../../src/weights/index.ts';
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

const fixture = openFixture('vit-tiny.safetensors');
const inputs = { pixel_values: fixture.tensor('input.pixel_values') };
/** What the fixture allows a float32 implementation, and a float64 one. */
const TOLERANCE = 2e-5;
const TOLERANCE_F64 = 2e-6;
const OUTPUTS = ['logits', 'last_hidden_state'] as const;

test('the published sizes have the published numbers of parameters', () => {
  expect(parameterCount(vitB16)).toBe(86_567_656);
  expect(parameterCount(vitL16)).toBe(304_326_632);
  expect(parameterCount(vitB16Large)).toBe(89_562_856);
  expect(parameterCount(vitTiny)).toBe(75_082);
});

test('the traced model, interpreted in float64, agrees with the original implementation', () => {
  const graph = trace(vitTiny);
  const params = matchParameters(graph.params, fixture.tensors, { ...weightNames, file: fixture.file });
  expect(params.size).toBe(40);
  const outputs = evalGraph(graph, { B: 1 }, inputs, params);
  for (const name of OUTPUTS)
    expect(maxDifference(outputs[name]!.data, fixture.tensor(`output.${name}`).data)).toBeLessThan(
      TOLERANCE_F64,
    );
});

describe.each(testBackends)('vit-tiny on %s', (backend) => {
  let device: runtime.Device;
  let whole: Outputs;
  beforeAll(async () => {
    device = await runtime.openDevice({ backend });
    const { plan } = await compileModel(vitTiny, { dims: { B: 1 }, budget: '100%', backend });
    const run = await runOn(device, unchunkedPlan(plan), fixture, inputs, weightNames);
    expect(run.peakBytes).toBe(plan.unchunked.peakBytes);
    whole = run.outputs;
  });
  afterAll(() => device.destroy());

  test('agrees with the original implementation', () => {
    for (const name of OUTPUTS)
      expect(maxDifference(whole[name]!, fixture.tensor(`output.${name}`).data)).toBeLessThan(TOLERANCE);
  });

  test.each(['50%', '20%', 'min'])('at %s: unchanged bits, the planned peak', async (budget) => {
    const { plan } = await planOrRefusal(vitTiny, { B: 1 }, budget, backend);
    expect(plan.loops.length).toBeGreaterThan(0);
    const { outputs, peakBytes } = await runOn(device, plan, fixture, inputs, weightNames);
    expect(peakBytes).toBe(plan.planned.peakBytes);
    for (const name of OUTPUTS) expect(bits(outputs[name]!).equals(bits(whole[name]!))).toBe(true);
  });

  test('every image of a batch has the logits it has alone', async () => {
    const model = vit('vit-tiny-logits', VIT_TINY);
    const { plan } = await compileModel(model, { dims: { B: 3 }, budget: '40%', backend });
    const { shape, data } = inputs.pixel_values;
    const batch = Float32Array.from({ length: 3 * data.length }, (_, i) => data[i % data.length] as number);
    const pixel_values = { shape: [3, ...shape.slice(1)], data: batch, dtype: 'f32' as const };
    const { outputs, peakBytes } = await runOn(device, plan, fixture, { pixel_values }, weightNames);
    expect(peakBytes).toBe(plan.planned.peakBytes);
    for (const image of [0, 1, 2])
      expect(outputs.logits!.slice(10 * image, 10 * image + 10)).toEqual(whole.logits);
  });
});

describe('other image and patch sizes', () => {
  const paramShape = (config: Parameters<typeof vit>[1], key: string) =>
    trace(vit('other', config)).params.find((param) => param.key === key)?.shape;

  test('have a position table of their own', () => {
    const config = { ...VIT_TINY, image_size: [48, 30], patch_size: [8, 5], num_channels: 1 } as const;
    expect(paramShape(config, 'vit.embeddings.position_embeddings')).toEqual([1, 37, 64]);
    expect(paramShape(config, 'vit.embeddings.patch_embeddings.projection.weight')).toEqual([64, 1, 8, 5]);
  });

  test('the weights of one image size do not fit another: the report says so', () => {
    const graph = trace(vit('other', { ...VIT_TINY, image_size: 64 }));
    expect(() => matchParameters(graph.params, fixture.tensors, weightNames)).toThrow(
      'vit.embeddings.position_embeddings: expected [1, 257, 64], got [1, 65, 64]',
    );
  });

  test('patches must cover the image', () => {
    expect(() => vit('other', { ...VIT_TINY, image_size: 30 })).toThrow(UserError);
    expect(() => vit('other', { ...VIT_TINY, image_size: 30 })).toThrow(
      'patches of 4 × 4 do not cover an image of 30 × 30 pixels',
    );
  });
});

test('activations of the MLP', () => {
  const ops = (activation: 'gelu' | 'gelu-tanh' | 'relu' | 'silu') =>
    trace(vit('other', { ...VIT_TINY, activation })).nodes.flatMap((node) =>
      node.kind === 'op' && ['gelu', 'relu', 'silu'].includes(node.op) ? [[node.op, node.attrs]] : [],
    );
  expect(ops('gelu')[0]).toEqual(['gelu', { tanh: false }]);
  expect(ops('gelu-tanh')[0]).toEqual(['gelu', { tanh: true }]);
  expect(ops('relu')[0]).toEqual(['relu', {}]);
  expect(ops('silu')[0]).toEqual(['silu', {}]);
});

describe('config.json', () => {
  const labels = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [i, `class ${i}`]));
  /** As published with google/vit-large-patch16-224. */
  const large = {
    architectures: ['ViTForImageClassification'],
    attention_probs_dropout_prob: 0.0,
    hidden_act: 'gelu',
    hidden_dropout_prob: 0.0,
    hidden_size: 1024,
    id2label: labels(1000),
    image_size: 224,
    initializer_range: 0.02,
    intermediate_size: 4096,
    layer_norm_eps: 1e-12,
    model_type: 'vit',
    num_attention_heads: 16,
    num_channels: 3,
    num_hidden_layers: 24,
    patch_size: 16,
    qkv_bias: true,
    transformers_version: '4.13.0.dev0',
  };

  test('of the published checkpoints gives the published models', () => {
    expect(readVitConfig(large)).toEqual({ ...VIT_L16, activation: 'gelu' });
    expect(readVitConfig({ model_type: 'vit', id2label: labels(1000) })).toMatchObject(VIT_B16);
    expect(parameterCount(fromConfig(large))).toBe(304_326_632);
  });

  test('everything that is wrong is said at once', () => {
    const wrong = {
      model_type: 'vit',
      hidden_act: 'quick_gelu',
      hidden_size: 100,
      image_size: [224, 0],
      num_hidden_layers: 2.5,
      qkv_bias: 'yes',
      id2label: [],
    };
    expect(messageOf(() => fromConfig(wrong, 'vit/config.json'))).toMatchInlineSnapshot(`
      "vit/config.json cannot be used
        wrong (5):
          image_size: expected a positive integer or [height, width], got [224,0]
          num_hidden_layers: expected a positive integer, got 2.5
          qkv_bias: expected true or false, got "yes"
          id2label: expected an object of classes, got []
          num_attention_heads: 12 heads do not divide hidden_size 100
        not supported (1):
          hidden_act: "quick_gelu" is not supported; supported: gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu, silu, swish"
    `);
    expect(messageOf(() => readVitConfig({ model_type: 'deit' }))).toMatchInlineSnapshot(
      `"config.json: model_type is "deit", this model takes "vit""`,
    );
  });
});
