import { describe, expect, test } from 'vitest';
import { GPT2_SMALL, readGpt2Config } from '../../models/gpt2/config.ts';
import * as gpt2 from '../../models/gpt2/model.ts';
import { LLAMA32_1B, readLlamaConfig, TINY_LLAMA_1B } from '../../models/llama/config.ts';
import * as llama from '../../models/llama/model.ts';
import type { Model } from '../../src/dsl/model.ts';
import { UnsupportedError, UserError } from '../../src/errors.ts';
import { trace } from '../../src/trace/tracer.ts';
import { messageOf } from '../weights/support.ts';

const keys = (model: Model): string[] => trace(model).params.map(({ key }) => key);
const count = (model: Model): number =>
  trace(model).params.reduce((sum, { shape }) => sum + shape.reduce<number>((n, d) => n * Number(d), 1), 0);
const outputShape = (model: Model) => {
  const { nodes, outputs } = trace(model);
  return nodes.flatMap((node) =>
    node.kind === 'op' && node.id === outputs[0]?.value ? [node.shape] : [],
  )[0];
};

/** The fields of openai-community/gpt2's config.json. */
const GPT2 = {
  activation_function: 'gelu_new',
  architectures: ['GPT2LMHeadModel'],
  attn_pdrop: 0.1,
  bos_token_id: 50256,
  embd_pdrop: 0.1,
  eos_token_id: 50256,
  initializer_range: 0.02,
  layer_norm_epsilon: 1e-5,
  model_type: 'gpt2',
  n_ctx: 1024,
  n_embd: 768,
  n_head: 12,
  n_layer: 12,
  n_positions: 1024,
  resid_pdrop: 0.1,
  summary_activation: null,
  task_specific_params: { 'text-generation': { do_sample: true, max_length: 50 } },
  vocab_size: 50257,
};

/** The fields of meta-llama/Llama-3.2-1B's config.json. */
const LLAMA32 = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 128000,
  eos_token_id: 128001,
  head_dim: 64,
  hidden_act: 'silu',
  hidden_size: 2048,
  initializer_range: 0.02,
  intermediate_size: 8192,
  max_position_embeddings: 131072,
  mlp_bias: false,
  model_type: 'llama',
  num_attention_heads: 32,
  num_hidden_layers: 16,
  num_key_value_heads: 8,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: {
    factor: 32,
    high_freq_factor: 4,
    low_freq_factor: 1,
    original_max_position_embeddings: 8192,
    rope_type: 'llama3',
  },
  rope_theta: 500000,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  use_cache: true,
  vocab_size: 128256,
};

describe('gpt2/config.json', () => {
  test('the published one is the published model', () => {
    expect(readGpt2Config(GPT2)).toMatchObject(GPT2_SMALL);
    expect(count(gpt2.fromConfig(GPT2))).toBe(124_439_808);
    expect(outputShape(gpt2.fromConfig(GPT2))).toEqual([1, 50257]);
    expect(outputShape(gpt2.fromConfigAllLogits(GPT2))).toEqual(['N', 50257]);
    expect(readGpt2Config({ model_type: 'gpt2' })).toEqual(readGpt2Config(GPT2));
  });

  test('a head of its own, another MLP', () => {
    const small = { ...GPT2, n_embd: 24, n_head: 3, n_layer: 1, n_inner: 50, vocab_size: 11, n_positions: 7 };
    const model = gpt2.fromConfig({ ...small, tie_word_embeddings: false, activation_function: 'relu' });
    expect(keys(model)).toContain('lm_head.weight');
    const { nodes, params } = trace(model);
    expect(nodes.some((node) => node.kind === 'op' && node.op === 'relu')).toBe(true);
    expect(params.find(({ key }) => key === 'h.0.mlp.c_fc.weight')?.shape).toEqual([24, 50]);
  });

  test('one report of everything wrong', () => {
    const json = {
      ...GPT2,
      n_layer: 0,
      n_head: 5,
      vocab_size: '50257',
      activation_function: 'gelu_fancy',
      scale_attn_by_inverse_layer_idx: true,
      quantization_config: { bits: 4 },
    };
    expect(messageOf(() => gpt2.fromConfig(json, 'gpt2/config.json'))).toMatchInlineSnapshot(`
      "gpt2/config.json cannot be used
        wrong (3):
          vocab_size: expected a positive integer, got "50257"
          n_layer: expected a positive integer, got 0
          n_head: 5 heads do not divide n_embd 768
        not supported (3):
          quantization_config: quantised weights are not read; use the checkpoint without
          activation_function: "gelu_fancy" is not supported; supported: gelu_new, gelu_pytorch_tanh, gelu_fast, gelu, relu, silu, swish
          scale_attn_by_inverse_layer_idx: true is not supported: attention is scaled alike in all layers"
    `);
    expect(() => readGpt2Config({ ...GPT2, activation_function: 'mish' })).toThrow(UnsupportedError);
    expect(() => readGpt2Config(LLAMA32)).toThrow(
      new UserError('config.json: model_type is "llama", this model takes "gpt2"'),
    );
    expect(() => readGpt2Config([])).toThrow(new UserError('config.json: expected a JSON object'));
  });
});

describe('llama/config.json', () => {
  test('the published ones are the published models', () => {
    expect(readLlamaConfig(LLAMA32)).toMatchObject(LLAMA32_1B);
    expect(count(llama.fromConfig(LLAMA32))).toBe(1_235_814_400);
    expect(outputShape(llama.fromConfig(LLAMA32))).toEqual([1, 128256]);
    expect(outputShape(llama.fromConfigAllLogits(LLAMA32))).toEqual(['N', 128256]);
    const tiny = {
      model_type: 'llama',
      hidden_size: 2048,
      intermediate_size: 5632,
      num_attention_heads: 32,
      num_hidden_layers: 22,
      num_key_value_heads: 4,
      max_position_embeddings: 2048,
      rms_norm_eps: 1e-5,
      rope_scaling: null,
      tie_word_embeddings: false,
      vocab_size: 32000,
    };
    expect(readLlamaConfig(tiny)).toMatchObject(TINY_LLAMA_1B);
    expect(count(llama.fromConfig(tiny))).toBe(1_100_048_384);
  });

  test('biases, a head width of its own, an own classifier', () => {
    const small = {
      ...LLAMA32,
      hidden_size: 24,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 10,
    };
    const model = llama.fromConfig({
      ...small,
      num_hidden_layers: 1,
      intermediate_size: 8,
      vocab_size: 16,
      tie_word_embeddings: false,
      attention_bias: true,
      mlp_bias: true,
    });
    const shapes = Object.fromEntries(trace(model).params.map(({ key, shape }) => [key, shape]));
    expect(shapes).toMatchObject({
      'model.layers.0.self_attn.q_proj.weight': [40, 24],
      'model.layers.0.self_attn.q_proj.bias': [40],
      'model.layers.0.self_attn.v_proj.weight': [20, 24],
      'model.layers.0.self_attn.o_proj.weight': [24, 40],
      'model.layers.0.self_attn.o_proj.bias': [24],
      'model.layers.0.mlp.down_proj.bias': [24],
      'lm_head.weight': [16, 24],
    });
  });

  test('rotary frequencies: old names, new names, linear, none', () => {
    const rope = (json: object) => {
      const { rope_theta, rope_scaling } = readLlamaConfig({ ...LLAMA32, rope_scaling: null, ...json });
      return [rope_theta, rope_scaling];
    };
    expect(rope({})).toEqual([500000, null]);
    expect(rope({ rope_scaling: { type: 'linear', factor: 4 } })).toEqual([
      500000,
      { rope_type: 'linear', factor: 4 },
    ]);
    expect(
      rope({ rope_theta: undefined, rope_parameters: { ...LLAMA32.rope_scaling, rope_theta: 250000 } }),
    ).toEqual([250000, LLAMA32.rope_scaling]);
    expect(rope({ rope_parameters: { rope_type: 'default', rope_theta: 1e4 } })).toEqual([1e4, null]);
  });

  test('one report of everything wrong', () => {
    const json = {
      ...LLAMA32,
      hidden_act: 'quick_gelu',
      num_key_value_heads: 5,
      head_dim: 63,
      rope_scaling: { rope_type: 'yarn', factor: 4 },
    };
    expect(messageOf(() => llama.fromConfig(json))).toMatchInlineSnapshot(`
      "config.json cannot be used
        wrong (2):
          num_key_value_heads: 5 do not divide 32 attention heads
          head_dim: 63 is odd; rotary positions turn pairs of channels
        not supported (2):
          rope_scaling.rope_type: "yarn" is not supported; supported: default, linear, llama3
          hidden_act: "quick_gelu" is not supported; supported: silu, swish, gelu, gelu_new, gelu_pytorch_tanh, relu"
    `);
    expect(
      messageOf(() => readLlamaConfig({ ...LLAMA32, rope_scaling: { rope_type: 'llama3', factor: '8' } })),
    ).toMatchInlineSnapshot(`
      "config.json cannot be used
        wrong (4):
          rope_scaling.factor: expected a positive number, got "8"
          rope_scaling.low_freq_factor: expected a positive number, got nothing
          rope_scaling.high_freq_factor: expected a positive number, got nothing
          rope_scaling.original_max_position_embeddings: expected a positive integer, got nothing"
    `);
    expect(() => readLlamaConfig({ ...LLAMA32, model_type: 'mistral' })).toThrow(
      'config.json: model_type is "mistral", this model takes "llama"',
    );
  });
});
