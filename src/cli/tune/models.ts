import { defineModel, f32, type Model } from '../../dsl/model.ts';
import { nn } from '../../dsl/nn.ts';
import { scaledDotProductAttention } from '../../dsl/ops/attention.ts';
import { softmax } from '../../dsl/ops/contract.ts';
import { conv2d } from '../../dsl/ops/conv.ts';
import { einsum } from '../../dsl/ops/einsum.ts';
import { add, gelu, mul, sigmoid, silu } from '../../dsl/ops/elementwise.ts';
import { param } from '../../dsl/scope.ts';

const attention = defineModel(
  'attention',
  { q: f32(4, 'N', 32), k: f32(4, 'N', 32), v: f32(4, 'N', 32) },
  ({ q, k, v }) => ({ context: scaledDotProductAttention(q, k, v) }),
);

const mlp = defineModel('mlp', { x: f32('N', 64) }, ({ x }) => ({
  y: add(x, nn.linear('down', gelu(nn.linear('up', nn.layerNorm('norm', x), 512)), 64)),
}));

const gated = defineModel('gated', { x: f32('N', 'N', 16) }, ({ x }) => {
  const left = mul(sigmoid(nn.linear('left_gate', x, 16)), nn.linear('left', x, 16));
  const right = mul(sigmoid(nn.linear('right_gate', x, 16)), nn.linear('right', x, 16));
  return { update: einsum('ikc,jkc->ijc', left, right) };
});

const convolutions = defineModel('convolutions', { x: f32(1, 16, 'N', 'N') }, ({ x }) => ({
  y: conv2d(silu(conv2d(x, param('first', [64, 16, 1, 1]))), param('second', [16, 64, 1, 1])),
}));

const columns = defineModel('columns', { x: f32(8, 'N', 'N') }, ({ x }) => ({ y: softmax(gelu(x), 1) }));

/** Models whose plans tell what loops cost, with a size of N that takes some milliseconds. */
export const TUNE_MODELS: readonly { readonly model: Model; readonly n: number }[] = [
  { model: attention, n: 384 },
  { model: mlp, n: 512 },
  { model: gated, n: 96 },
  { model: convolutions, n: 64 },
  { model: columns, n: 256 },
];
