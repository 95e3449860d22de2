import { printGraph, trace } from 'autochunk';
import { expect, test } from 'vitest';
import { STORIES_260K } from '../../models/llama/config.ts';
import { llama } from '../../models/llama/model.ts';

test('a Llama block as it is traced', () => {
  const graph = trace(llama('llama', { ...STORIES_260K, num_hidden_layers: 1 }));
  expect(printGraph(graph).replace(/:\d+:\d+$/gm, '')).toMatchInlineSnapshot(`
    "graph "llama" {
      dims N
      input tokens: i32[N] below 512
      param model_embed_tokens_weight: f32[512, 64] key "model.embed_tokens.weight"
      param model_layers_0_input_layernorm_weight: f32[64] key "model.layers.0.input_layernorm.weight"
      param model_layers_0_self_attn_q_proj_weight: f32[64, 64] key "model.layers.0.self_attn.q_proj.weight"
      param model_layers_0_self_attn_k_proj_weight: f32[32, 64] key "model.layers.0.self_attn.k_proj.weight"
      param model_layers_0_self_attn_v_proj_weight: f32[32, 64] key "model.layers.0.self_attn.v_proj.weight"
      param model_layers_0_self_attn_o_proj_weight: f32[64, 64] key "model.layers.0.self_attn.o_proj.weight"
      param model_layers_0_post_attention_layernorm_weight: f32[64] key "model.layers.0.post_attention_layernorm.weight"
      param model_layers_0_mlp_gate_proj_weight: f32[172, 64] key "model.layers.0.mlp.gate_proj.weight"
      param model_layers_0_mlp_up_proj_weight: f32[172, 64] key "model.layers.0.mlp.up_proj.weight"
      param model_layers_0_mlp_down_proj_weight: f32[64, 172] key "model.layers.0.mlp.down_proj.weight"
      param model_norm_weight: f32[64] key "model.norm.weight"
      x: f32[N, 64] = embedding(model_embed_tokens_weight, tokens) in "model.embed_tokens" at "models/llama/model.ts"
      steps: i32[N] = iota() {length: N, start: 0, step: 1} in "model" at "models/llama/model.ts"
      positions: i32[N, 1] = reshape(steps) {shape: [N, 1]} in "model" at "models/llama/model.ts"
      frequencies: f32[1, 4] = constant() {shape: [1, 4], values: [1, 0.10000000149011612, 0.009999999776482582, 0.0010000000474974513]} in "model" at "models/llama/model.ts"
      angles: f32[N, 4] = mul(positions, frequencies) in "model" at "models/llama/model.ts"
      cos: f32[N, 4] = cos(angles) in "model" at "models/llama/model.ts"
      sin: f32[N, 4] = sin(angles) in "model" at "models/llama/model.ts"
      attentionInput: f32[N, 64] = rmsNorm(x, model_layers_0_input_layernorm_weight) {epsilon: 0.00001} in "model.layers.0.input_layernorm" at "models/llama/model.ts"
      q_proj: f32[N, 64] = linear(attentionInput, model_layers_0_self_attn_q_proj_weight) {transposed: false} in "model.layers.0.self_attn.q_proj" at "models/llama/model.ts"
      perToken: f32[N, 8, 8] = reshape(q_proj) {shape: [N, 8, 8]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      permute: f32[8, N, 8] = permute(perToken) {axes: [1, 0, 2]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      queries: f32[8, N, 8] = rotary(permute, cos, sin) {interleaved: false} in "model.layers.0.self_attn" at "models/llama/model.ts"
      k_proj: f32[N, 32] = linear(attentionInput, model_layers_0_self_attn_k_proj_weight) {transposed: false} in "model.layers.0.self_attn.k_proj" at "models/llama/model.ts"
      perToken_1: f32[N, 4, 8] = reshape(k_proj) {shape: [N, 4, 8]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      permute_1: f32[4, N, 8] = permute(perToken_1) {axes: [1, 0, 2]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      keys: f32[4, N, 8] = rotary(permute_1, cos, sin) {interleaved: false} in "model.layers.0.self_attn" at "models/llama/model.ts"
      v_proj: f32[N, 32] = linear(attentionInput, model_layers_0_self_attn_v_proj_weight) {transposed: false} in "model.layers.0.self_attn.v_proj" at "models/llama/model.ts"
      perToken_2: f32[N, 4, 8] = reshape(v_proj) {shape: [N, 4, 8]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      permute_2: f32[4, N, 8] = permute(perToken_2) {axes: [1, 0, 2]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      groupedQueries: f32[4, 2, N, 8] = reshape(queries) {shape: [4, 2, N, 8]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      groupedKeys: f32[4, 1, N, 8] = reshape(keys) {shape: [4, 1, N, 8]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      groupedValues: f32[4, 1, N, 8] = reshape(permute_2) {shape: [4, 1, N, 8]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      scaledQueries: f32[4, 2, N, 8] = mulScalar(groupedQueries) {value: 0.35355339059327373} in "model.layers.0.self_attn" at "models/llama/model.ts"
      keysTransposed: f32[4, 1, 8, N] = permute(groupedKeys) {axes: [0, 1, 3, 2]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      scores: f32[4, 2, N, N] = matmul(scaledQueries, keysTransposed) in "model.layers.0.self_attn" at "models/llama/model.ts"
      maskedScores: f32[4, 2, N, N] = causalMask(scores) {rowStart: 0, columnStart: 0} in "model.layers.0.self_attn" at "models/llama/model.ts"
      attention: f32[4, 2, N, N] = softmax(maskedScores) {axis: 3} in "model.layers.0.self_attn" at "models/llama/model.ts"
      groupedContext: f32[4, 2, N, 8] = matmul(attention, groupedValues) in "model.layers.0.self_attn" at "models/llama/model.ts"
      context: f32[8, N, 8] = reshape(groupedContext) {shape: [8, N, 8]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      permute_3: f32[N, 8, 8] = permute(context) {axes: [1, 0, 2]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      merged: f32[N, 64] = reshape(permute_3) {shape: [N, 64]} in "model.layers.0.self_attn" at "models/llama/model.ts"
      o_proj: f32[N, 64] = linear(merged, model_layers_0_self_attn_o_proj_weight) {transposed: false} in "model.layers.0.self_attn.o_proj" at "models/llama/model.ts"
      attended: f32[N, 64] = add(x, o_proj) in "model.layers.0" at "models/llama/model.ts"
      mlpInput: f32[N, 64] = rmsNorm(attended, model_layers_0_post_attention_layernorm_weight) {epsilon: 0.00001} in "model.layers.0.post_attention_layernorm" at "models/llama/model.ts"
      gate: f32[N, 172] = linear(mlpInput, model_layers_0_mlp_gate_proj_weight) {transposed: false} in "model.layers.0.mlp.gate_proj" at "models/llama/model.ts"
      up: f32[N, 172] = linear(mlpInput, model_layers_0_mlp_up_proj_weight) {transposed: false} in "model.layers.0.mlp.up_proj" at "models/llama/model.ts"
      silu: f32[N, 172] = silu(gate) in "model.layers.0.mlp" at "models/llama/model.ts"
      gated: f32[N, 172] = mul(silu, up) in "model.layers.0.mlp" at "models/llama/model.ts"
      down_proj: f32[N, 64] = linear(gated, model_layers_0_mlp_down_proj_weight) {transposed: false} in "model.layers.0.mlp.down_proj" at "models/llama/model.ts"
      add: f32[N, 64] = add(attended, down_proj) in "model.layers.0" at "models/llama/model.ts"
      norm: f32[N, 64] = rmsNorm(add, model_norm_weight) {epsilon: 0.00001} in "model.norm" at "models/llama/model.ts"
      logits: f32[N, 512] = linear(norm, model_embed_tokens_weight) {transposed: false} at "models/llama/model.ts"
      output "logits" = logits
    }
    "
  `);
});
