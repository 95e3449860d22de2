import { expect, test } from 'vitest';
import * as gpt2 from '../../models/gpt2/model.ts';
import * as llama from '../../models/llama/model.ts';
import type { Model } from '../../src/dsl/model.ts';
import { trace } from '../../src/trace/tracer.ts';

const parameters = (model: Model) =>
  trace(model).params.map(({ key, shape }) => ({
    key,
    count: shape.reduce<number>((n, d) => n * Number(d), 1),
  }));

test.each<[string, Model, number]>([
  ['GPT-2 small', gpt2.gpt2Small, 124_439_808],
  ['GPT-2 medium', gpt2.gpt2Medium, 354_823_168],
  ['GPT-2 large', gpt2.gpt2Large, 774_030_080],
  ['GPT-2 XL', gpt2.gpt2Xl, 1_557_611_200],
  ['stories260K', llama.stories260K, 260_032],
  ['TinyLlama', llama.tinyLlama1B, 1_100_048_384],
  ['Llama 2 7B', llama.llama2_7B, 6_738_415_616],
  ['Llama 3.2 1B', llama.llama32_1B, 1_235_814_400],
])('%s has the published number of parameters', (_, model, count) => {
  expect(parameters(model).reduce((sum, parameter) => sum + parameter.count, 0)).toBe(count);
});

test('parameters have the published names', () => {
  const names = (model: Model, layer: string) =>
    parameters(model)
      .map(({ key }) => key)
      .filter((key) => key.includes(layer) || !/\d/.test(key));
  expect(names(gpt2.gpt2Small, 'h.11.')).toMatchInlineSnapshot(`
    [
      "wte.weight",
      "wpe.weight",
      "h.11.ln_1.weight",
      "h.11.ln_1.bias",
      "h.11.attn.c_attn.weight",
      "h.11.attn.c_attn.bias",
      "h.11.attn.c_proj.weight",
      "h.11.attn.c_proj.bias",
      "h.11.ln_2.weight",
      "h.11.ln_2.bias",
      "h.11.mlp.c_fc.weight",
      "h.11.mlp.c_fc.bias",
      "h.11.mlp.c_proj.weight",
      "h.11.mlp.c_proj.bias",
      "ln_f.weight",
      "ln_f.bias",
    ]
  `);
  expect(names(llama.tinyLlama1B, 'layers.21.')).toMatchInlineSnapshot(`
    [
      "model.embed_tokens.weight",
      "model.layers.21.input_layernorm.weight",
      "model.layers.21.self_attn.q_proj.weight",
      "model.layers.21.self_attn.k_proj.weight",
      "model.layers.21.self_attn.v_proj.weight",
      "model.layers.21.self_attn.o_proj.weight",
      "model.layers.21.post_attention_layernorm.weight",
      "model.layers.21.mlp.gate_proj.weight",
      "model.layers.21.mlp.up_proj.weight",
      "model.layers.21.mlp.down_proj.weight",
      "model.norm.weight",
      "lm_head.weight",
    ]
  `);
});
