import {
  add,
  defineModel,
  gelu,
  i32,
  linear,
  nn,
  param,
  permute,
  printGraph,
  range,
  reshape,
  scaledDotProductAttention,
  scope,
  split,
  type Tensor,
  trace,
} from 'autochunk';
import { expect, test } from 'vitest';

type Hidden = Tensor<['N', 64]>;

function attention(x: Hidden) {
  const qkv = nn.linear('c_attn', x, 192, { transposed: true });
  const [q, k, v] = split(qkv, [64, 64, 64], -1).map((part) =>
    permute(reshape(part, ['N', 4, 16]), [1, 0, 2]),
  ) as [Tensor<[4, 'N', 16]>, Tensor<[4, 'N', 16]>, Tensor<[4, 'N', 16]>];
  const heads = scaledDotProductAttention(q, k, v, { causal: true });
  const context = reshape(permute(heads, [1, 0, 2]), ['N', 64]);
  return nn.linear('c_proj', context, 64, { transposed: true });
}

function mlp(x: Hidden) {
  const hidden = gelu(nn.linear('c_fc', x, 256, { transposed: true }), 'tanh');
  return nn.linear('c_proj', hidden, 64, { transposed: true });
}

function block(x: Hidden) {
  const normed = nn.layerNorm('ln_1', x);
  const a = add(
    x,
    scope('attn', () => attention(normed)),
  );
  const widened = nn.layerNorm('ln_2', a);
  return add(
    a,
    scope('mlp', () => mlp(widened)),
  );
}

const gpt2 = defineModel('gpt2-tiny', { tokens: i32('N') }, ({ tokens }) => {
  let x: Hidden = add(nn.embedding('wte', tokens, [128, 64]), nn.positions('wpe', 'N', [96, 64]));
  for (const i of range(2)) x = scope(`h.${i}`, () => block(x));
  const hidden = nn.layerNorm('ln_f', x);
  return { logits: linear(hidden, param('wte.weight', [128, 64])) };
});

test('a two-layer GPT-2 as it is traced', () => {
  expect(printGraph(trace(gpt2))).toMatchInlineSnapshot(`
    "graph "gpt2-tiny" {
      dims N
      input tokens: i32[N] below 128
      param wte_weight: f32[128, 64] key "wte.weight"
      param wpe_weight: f32[96, 64] key "wpe.weight"
      param h_0_ln_1_weight: f32[64] key "h.0.ln_1.weight"
      param h_0_ln_1_bias: f32[64] key "h.0.ln_1.bias"
      param h_0_attn_c_attn_weight: f32[64, 192] key "h.0.attn.c_attn.weight"
      param h_0_attn_c_attn_bias: f32[192] key "h.0.attn.c_attn.bias"
      param h_0_attn_c_proj_weight: f32[64, 64] key "h.0.attn.c_proj.weight"
      param h_0_attn_c_proj_bias: f32[64] key "h.0.attn.c_proj.bias"
      param h_0_ln_2_weight: f32[64] key "h.0.ln_2.weight"
      param h_0_ln_2_bias: f32[64] key "h.0.ln_2.bias"
      param h_0_mlp_c_fc_weight: f32[64, 256] key "h.0.mlp.c_fc.weight"
      param h_0_mlp_c_fc_bias: f32[256] key "h.0.mlp.c_fc.bias"
      param h_0_mlp_c_proj_weight: f32[256, 64] key "h.0.mlp.c_proj.weight"
      param h_0_mlp_c_proj_bias: f32[64] key "h.0.mlp.c_proj.bias"
      param h_1_ln_1_weight: f32[64] key "h.1.ln_1.weight"
      param h_1_ln_1_bias: f32[64] key "h.1.ln_1.bias"
      param h_1_attn_c_attn_weight: f32[64, 192] key "h.1.attn.c_attn.weight"
      param h_1_attn_c_attn_bias: f32[192] key "h.1.attn.c_attn.bias"
      param h_1_attn_c_proj_weight: f32[64, 64] key "h.1.attn.c_proj.weight"
      param h_1_attn_c_proj_bias: f32[64] key "h.1.attn.c_proj.bias"
      param h_1_ln_2_weight: f32[64] key "h.1.ln_2.weight"
      param h_1_ln_2_bias: f32[64] key "h.1.ln_2.bias"
      param h_1_mlp_c_fc_weight: f32[64, 256] key "h.1.mlp.c_fc.weight"
      param h_1_mlp_c_fc_bias: f32[256] key "h.1.mlp.c_fc.bias"
      param h_1_mlp_c_proj_weight: f32[256, 64] key "h.1.mlp.c_proj.weight"
      param h_1_mlp_c_proj_bias: f32[64] key "h.1.mlp.c_proj.bias"
      param ln_f_weight: f32[64] key "ln_f.weight"
      param ln_f_bias: f32[64] key "ln_f.bias"
      wte: f32[N, 64] = embedding(wte_weight, tokens) in "wte" at "test/trace/gpt2.test.ts":52:26
      wpe: f32[N, 64] = slice(wpe_weight) {axis: 0, start: 0, length: N} in "wpe" at "test/trace/gpt2.test.ts":52:66
      x: f32[N, 64] = add(wte, wpe) at "test/trace/gpt2.test.ts":52:19
      normed: f32[N, 64] = layerNorm(x, h_0_ln_1_weight, h_0_ln_1_bias) {epsilon: 0.00001} in "h.0.ln_1" at "test/trace/gpt2.test.ts":39:21
      qkv: f32[N, 192] = linear(normed, h_0_attn_c_attn_weight, h_0_attn_c_attn_bias) {transposed: true} in "h.0.attn.c_attn" at "test/trace/gpt2.test.ts":24:18
      q: f32[N, 64] = slice(qkv) {axis: 1, start: 0, length: 64} in "h.0.attn" at "test/trace/gpt2.test.ts":25:21
      k_: f32[N, 64] = slice(qkv) {axis: 1, start: 64, length: 64} in "h.0.attn" at "test/trace/gpt2.test.ts":25:21
      v: f32[N, 64] = slice(qkv) {axis: 1, start: 128, length: 64} in "h.0.attn" at "test/trace/gpt2.test.ts":25:21
      reshape: f32[N, 4, 16] = reshape(q) {shape: [N, 4, 16]} in "h.0.attn" at "test/trace/gpt2.test.ts":26:13
      permute: f32[4, N, 16] = permute(reshape) {axes: [1, 0, 2]} in "h.0.attn" at "test/trace/gpt2.test.ts":26:5
      reshape_1: f32[N, 4, 16] = reshape(k_) {shape: [N, 4, 16]} in "h.0.attn" at "test/trace/gpt2.test.ts":26:13
      permute_1: f32[4, N, 16] = permute(reshape_1) {axes: [1, 0, 2]} in "h.0.attn" at "test/trace/gpt2.test.ts":26:5
      reshape_2: f32[N, 4, 16] = reshape(v) {shape: [N, 4, 16]} in "h.0.attn" at "test/trace/gpt2.test.ts":26:13
      permute_2: f32[4, N, 16] = permute(reshape_2) {axes: [1, 0, 2]} in "h.0.attn" at "test/trace/gpt2.test.ts":26:5
      scaledQueries: f32[4, N, 16] = mulScalar(permute) {value: 0.25} in "h.0.attn" at "test/trace/gpt2.test.ts":28:17
      keysTransposed: f32[4, 16, N] = permute(permute_1) {axes: [0, 2, 1]} in "h.0.attn" at "test/trace/gpt2.test.ts":28:17
      scores: f32[4, N, N] = matmul(scaledQueries, keysTransposed) in "h.0.attn" at "test/trace/gpt2.test.ts":28:17
      maskedScores: f32[4, N, N] = causalMask(scores) {rowStart: 0, columnStart: 0} in "h.0.attn" at "test/trace/gpt2.test.ts":28:17
      attention: f32[4, N, N] = softmax(maskedScores) {axis: 2} in "h.0.attn" at "test/trace/gpt2.test.ts":28:17
      heads: f32[4, N, 16] = matmul(attention, permute_2) in "h.0.attn" at "test/trace/gpt2.test.ts":28:17
      permute_3: f32[N, 4, 16] = permute(heads) {axes: [1, 0, 2]} in "h.0.attn" at "test/trace/gpt2.test.ts":29:27
      context: f32[N, 64] = reshape(permute_3) {shape: [N, 64]} in "h.0.attn" at "test/trace/gpt2.test.ts":29:19
      c_proj: f32[N, 64] = linear(context, h_0_attn_c_proj_weight, h_0_attn_c_proj_bias) {transposed: true} in "h.0.attn.c_proj" at "test/trace/gpt2.test.ts":30:13
      a: f32[N, 64] = add(x, c_proj) in "h.0" at "test/trace/gpt2.test.ts":40:13
      widened: f32[N, 64] = layerNorm(a, h_0_ln_2_weight, h_0_ln_2_bias) {epsilon: 0.00001} in "h.0.ln_2" at "test/trace/gpt2.test.ts":44:22
      c_fc: f32[N, 256] = linear(widened, h_0_mlp_c_fc_weight, h_0_mlp_c_fc_bias) {transposed: true} in "h.0.mlp.c_fc" at "test/trace/gpt2.test.ts":34:26
      hidden: f32[N, 256] = gelu(c_fc) {tanh: true} in "h.0.mlp" at "test/trace/gpt2.test.ts":34:18
      c_proj_1: f32[N, 64] = linear(hidden, h_0_mlp_c_proj_weight, h_0_mlp_c_proj_bias) {transposed: true} in "h.0.mlp.c_proj" at "test/trace/gpt2.test.ts":35:13
      add: f32[N, 64] = add(a, c_proj_1) in "h.0" at "test/trace/gpt2.test.ts":45:10
      normed_1: f32[N, 64] = layerNorm(add, h_1_ln_1_weight, h_1_ln_1_bias) {epsilon: 0.00001} in "h.1.ln_1" at "test/trace/gpt2.test.ts":39:21
      qkv_1: f32[N, 192] = linear(normed_1, h_1_attn_c_attn_weight, h_1_attn_c_attn_bias) {transposed: true} in "h.1.attn.c_attn" at "test/trace/gpt2.test.ts":24:18
      q_1: f32[N, 64] = slice(qkv_1) {axis: 1, start: 0, length: 64} in "h.1.attn" at "test/trace/gpt2.test.ts":25:21
      k__1: f32[N, 64] = slice(qkv_1) {axis: 1, start: 64, length: 64} in "h.1.attn" at "test/trace/gpt2.test.ts":25:21
      v_1: f32[N, 64] = slice(qkv_1) {axis: 1, start: 128, length: 64} in "h.1.attn" at "test/trace/gpt2.test.ts":25:21
      reshape_3: f32[N, 4, 16] = reshape(q_1) {shape: [N, 4, 16]} in "h.1.attn" at "test/trace/gpt2.test.ts":26:13
      permute_4: f32[4, N, 16] = permute(reshape_3) {axes: [1, 0, 2]} in "h.1.attn" at "test/trace/gpt2.test.ts":26:5
      reshape_4: f32[N, 4, 16] = reshape(k__1) {shape: [N, 4, 16]} in "h.1.attn" at "test/trace/gpt2.test.ts":26:13
      permute_5: f32[4, N, 16] = permute(reshape_4) {axes: [1, 0, 2]} in "h.1.attn" at "test/trace/gpt2.test.ts":26:5
      reshape_5: f32[N, 4, 16] = reshape(v_1) {shape: [N, 4, 16]} in "h.1.attn" at "test/trace/gpt2.test.ts":26:13
      permute_6: f32[4, N, 16] = permute(reshape_5) {axes: [1, 0, 2]} in "h.1.attn" at "test/trace/gpt2.test.ts":26:5
      scaledQueries_1: f32[4, N, 16] = mulScalar(permute_4) {value: 0.25} in "h.1.attn" at "test/trace/gpt2.test.ts":28:17
      keysTransposed_1: f32[4, 16, N] = permute(permute_5) {axes: [0, 2, 1]} in "h.1.attn" at "test/trace/gpt2.test.ts":28:17
      scores_1: f32[4, N, N] = matmul(scaledQueries_1, keysTransposed_1) in "h.1.attn" at "test/trace/gpt2.test.ts":28:17
      maskedScores_1: f32[4, N, N] = causalMask(scores_1) {rowStart: 0, columnStart: 0} in "h.1.attn" at "test/trace/gpt2.test.ts":28:17
      attention_1: f32[4, N, N] = softmax(maskedScores_1) {axis: 2} in "h.1.attn" at "test/trace/gpt2.test.ts":28:17
      heads_1: f32[4, N, 16] = matmul(attention_1, permute_6) in "h.1.attn" at "test/trace/gpt2.test.ts":28:17
      permute_7: f32[N, 4, 16] = permute(heads_1) {axes: [1, 0, 2]} in "h.1.attn" at "test/trace/gpt2.test.ts":29:27
      context_1: f32[N, 64] = reshape(permute_7) {shape: [N, 64]} in "h.1.attn" at "test/trace/gpt2.test.ts":29:19
      c_proj_2: f32[N, 64] = linear(context_1, h_1_attn_c_proj_weight, h_1_attn_c_proj_bias) {transposed: true} in "h.1.attn.c_proj" at "test/trace/gpt2.test.ts":30:13
      a_1: f32[N, 64] = add(add, c_proj_2) in "h.1" at "test/trace/gpt2.test.ts":40:13
      widened_1: f32[N, 64] = layerNorm(a_1, h_1_ln_2_weight, h_1_ln_2_bias) {epsilon: 0.00001} in "h.1.ln_2" at "test/trace/gpt2.test.ts":44:22
      c_fc_1: f32[N, 256] = linear(widened_1, h_1_mlp_c_fc_weight, h_1_mlp_c_fc_bias) {transposed: true} in "h.1.mlp.c_fc" at "test/trace/gpt2.test.ts":34:26
      hidden_1: f32[N, 256] = gelu(c_fc_1) {tanh: true} in "h.1.mlp" at "test/trace/gpt2.test.ts":34:18
      c_proj_3: f32[N, 64] = linear(hidden_1, h_1_mlp_c_proj_weight, h_1_mlp_c_proj_bias) {transposed: true} in "h.1.mlp.c_proj" at "test/trace/gpt2.test.ts":35:13
      add_1: f32[N, 64] = add(a_1, c_proj_3) in "h.1" at "test/trace/gpt2.test.ts":45:10
      hidden_2: f32[N, 64] = layerNorm(add_1, ln_f_weight, ln_f_bias) {epsilon: 0.00001} in "ln_f" at "test/trace/gpt2.test.ts":54:21
      logits: f32[N, 128] = linear(hidden_2, wte_weight) {transposed: false} at "test/trace/gpt2.test.ts":55:20
      output "logits" = logits
    }
    "
  `);
});
