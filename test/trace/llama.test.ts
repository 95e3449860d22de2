import {
  add,
  defineModel,
  i32,
  linear,
  mul,
  nn,
  param,
  permute,
  printGraph,
  type RopeTables,
  reshape,
  ropeTables,
  rotary,
  scaledDotProductAttention,
  scope,
  silu,
  type Tensor,
  trace,
} from 'autochunk';
import { expect, test } from 'vitest';

type Hidden = Tensor<['N', 64]>;

function heads(name: string, x: Hidden, count: number) {
  const perToken = reshape(nn.linear(name, x, count * 8, { bias: false }), ['N', count, 8]);
  return permute(perToken, [1, 0, 2]);
}

function attention(x: Hidden, rope: RopeTables) {
  const queries = rotary(heads('q_proj', x, 8), rope);
  const keys = rotary(heads('k_proj', x, 4), rope);
  const values = heads('v_proj', x, 4);
  const context = scaledDotProductAttention(queries, keys, values, { causal: true });
  return nn.linear('o_proj', reshape(permute(context, [1, 0, 2]), ['N', 64]), 64, { bias: false });
}

function mlp(x: Hidden) {
  const gate = silu(nn.linear('gate_proj', x, 172, { bias: false }));
  return nn.linear('down_proj', mul(gate, nn.linear('up_proj', x, 172, { bias: false })), 64, {
    bias: false,
  });
}

const llama = defineModel('llama', { tokens: i32('N') }, ({ tokens }) => {
  const x = nn.embedding('model.embed_tokens', tokens, [512, 64]);
  const rope = ropeTables('N', 8);
  const block = scope('model.layers.0', () => {
    const normed = nn.rmsNorm('input_layernorm', x, { epsilon: 1e-5 });
    const attended = add(
      x,
      scope('self_attn', () => attention(normed, rope)),
    );
    const ready = nn.rmsNorm('post_attention_layernorm', attended, { epsilon: 1e-5 });
    return add(
      attended,
      scope('mlp', () => mlp(ready)),
    );
  });
  const hidden = nn.rmsNorm('model.norm', block, { epsilon: 1e-5 });
  return { logits: linear(hidden, param('model.embed_tokens.weight', [512, 64])) };
});

test('a Llama block as it is traced', () => {
  expect(printGraph(trace(llama))).toMatchInlineSnapshot(`
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
      x: f32[N, 64] = embedding(model_embed_tokens_weight, tokens) in "model.embed_tokens" at "test/trace/llama.test.ts":46:16
      steps: i32[N] = iota() {length: N, start: 0, step: 1} at "test/trace/llama.test.ts":47:16
      positions: i32[N, 1] = reshape(steps) {shape: [N, 1]} at "test/trace/llama.test.ts":47:16
      frequencies: f32[1, 4] = constant() {shape: [1, 4], values: [1, 0.10000000149011612, 0.009999999776482582, 0.0010000000474974513]} at "test/trace/llama.test.ts":47:16
      angles: f32[N, 4] = mul(positions, frequencies) at "test/trace/llama.test.ts":47:16
      cos: f32[N, 4] = cos(angles) at "test/trace/llama.test.ts":47:16
      sin: f32[N, 4] = sin(angles) at "test/trace/llama.test.ts":47:16
      normed: f32[N, 64] = rmsNorm(x, model_layers_0_input_layernorm_weight) {epsilon: 0.00001} in "model.layers.0.input_layernorm" at "test/trace/llama.test.ts":49:23
      q_proj: f32[N, 64] = linear(normed, model_layers_0_self_attn_q_proj_weight) {transposed: false} in "model.layers.0.self_attn.q_proj" at "test/trace/llama.test.ts":26:31
      perToken: f32[N, 8, 8] = reshape(q_proj) {shape: [N, 8, 8]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":26:20
      permute: f32[8, N, 8] = permute(perToken) {axes: [1, 0, 2]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":27:10
      queries: f32[8, N, 8] = rotary(permute, cos, sin) {interleaved: false} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":31:19
      k_proj: f32[N, 32] = linear(normed, model_layers_0_self_attn_k_proj_weight) {transposed: false} in "model.layers.0.self_attn.k_proj" at "test/trace/llama.test.ts":26:31
      perToken_1: f32[N, 4, 8] = reshape(k_proj) {shape: [N, 4, 8]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":26:20
      permute_1: f32[4, N, 8] = permute(perToken_1) {axes: [1, 0, 2]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":27:10
      keys: f32[4, N, 8] = rotary(permute_1, cos, sin) {interleaved: false} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":32:16
      v_proj: f32[N, 32] = linear(normed, model_layers_0_self_attn_v_proj_weight) {transposed: false} in "model.layers.0.self_attn.v_proj" at "test/trace/llama.test.ts":26:31
      perToken_2: f32[N, 4, 8] = reshape(v_proj) {shape: [N, 4, 8]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":26:20
      permute_2: f32[4, N, 8] = permute(perToken_2) {axes: [1, 0, 2]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":27:10
      groupedQueries: f32[4, 2, N, 8] = reshape(queries) {shape: [4, 2, N, 8]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":34:19
      groupedKeys: f32[4, 1, N, 8] = reshape(keys) {shape: [4, 1, N, 8]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":34:19
      groupedValues: f32[4, 1, N, 8] = reshape(permute_2) {shape: [4, 1, N, 8]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":34:19
      scaledQueries: f32[4, 2, N, 8] = mulScalar(groupedQueries) {value: 0.35355339059327373} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":34:19
      keysTransposed: f32[4, 1, 8, N] = permute(groupedKeys) {axes: [0, 1, 3, 2]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":34:19
      scores: f32[4, 2, N, N] = matmul(scaledQueries, keysTransposed) in "model.layers.0.self_attn" at "test/trace/llama.test.ts":34:19
      maskedScores: f32[4, 2, N, N] = causalMask(scores) {rowStart: 0, columnStart: 0} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":34:19
      attention: f32[4, 2, N, N] = softmax(maskedScores) {axis: 3} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":34:19
      groupedContext: f32[4, 2, N, 8] = matmul(attention, groupedValues) in "model.layers.0.self_attn" at "test/trace/llama.test.ts":34:19
      context: f32[8, N, 8] = reshape(groupedContext) {shape: [8, N, 8]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":34:19
      permute_3: f32[N, 8, 8] = permute(context) {axes: [1, 0, 2]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":35:38
      reshape: f32[N, 64] = reshape(permute_3) {shape: [N, 64]} in "model.layers.0.self_attn" at "test/trace/llama.test.ts":35:30
      o_proj: f32[N, 64] = linear(reshape, model_layers_0_self_attn_o_proj_weight) {transposed: false} in "model.layers.0.self_attn.o_proj" at "test/trace/llama.test.ts":35:13
      attended: f32[N, 64] = add(x, o_proj) in "model.layers.0" at "test/trace/llama.test.ts":50:22
      ready: f32[N, 64] = rmsNorm(attended, model_layers_0_post_attention_layernorm_weight) {epsilon: 0.00001} in "model.layers.0.post_attention_layernorm" at "test/trace/llama.test.ts":54:22
      gate_proj: f32[N, 172] = linear(ready, model_layers_0_mlp_gate_proj_weight) {transposed: false} in "model.layers.0.mlp.gate_proj" at "test/trace/llama.test.ts":39:24
      gate: f32[N, 172] = silu(gate_proj) in "model.layers.0.mlp" at "test/trace/llama.test.ts":39:16
      up_proj: f32[N, 172] = linear(ready, model_layers_0_mlp_up_proj_weight) {transposed: false} in "model.layers.0.mlp.up_proj" at "test/trace/llama.test.ts":40:46
      mul: f32[N, 172] = mul(gate, up_proj) in "model.layers.0.mlp" at "test/trace/llama.test.ts":40:33
      down_proj: f32[N, 64] = linear(mul, model_layers_0_mlp_down_proj_weight) {transposed: false} in "model.layers.0.mlp.down_proj" at "test/trace/llama.test.ts":40:13
      add: f32[N, 64] = add(attended, down_proj) in "model.layers.0" at "test/trace/llama.test.ts":55:12
      hidden: f32[N, 64] = rmsNorm(add, model_norm_weight) {epsilon: 0.00001} in "model.norm" at "test/trace/llama.test.ts":60:21
      logits: f32[N, 512] = linear(hidden, model_embed_tokens_weight) {transposed: false} at "test/trace/llama.test.ts":61:20
      output "logits" = logits
    }
    "
  `);
});
