import {
  add,
  concat,
  conv2d,
  einsum,
  expand,
  groupNorm,
  linear,
  maskedFill,
  matmul,
  layerNorm,
  nn,
  param,
  permute,
  reshape,
  rmsNorm,
  scaledDotProductAttention,
  softmax,
  split,
  squeeze,
  sum,
  type Tensor,
  transpose,
  where,
} from 'autochunk';

declare const x: Tensor<['N', 768]>;
declare const y: Tensor<['N', 512]>;
declare const m: Tensor<['M', 768]>;
declare const scores: Tensor<[12, 'N', 'N']>;
declare const heads: Tensor<[12, 'N', 64]>;
declare const image: Tensor<['B', 4, 'H', 'W']>;

add(x, y);
add(x, m);
where(x, 0, y);
matmul(x, y);
matmul(scores, matmul(scores, y));
matmul(heads, transpose(scores, 1, 2));
matmul(heads, transpose(scores, 0, 1));
linear(x, param('weight', [3072, 512]));
linear(x, param('weight', [3072, 768]), param('bias', [768]));
linear(x, param('weight', [512, 3072]), undefined, { transposed: true });
layerNorm(x, param('weight', [512]));
layerNorm(x, param('weight', [768]), param('bias', [512]));
rmsNorm(x, param('weight', [768, 1]));
scaledDotProductAttention(heads, scores, scores);
softmax(x, 2);
sum(x, [0, 2]);
transpose(x, 0, 2);
reshape(x, ['N', 12, 32]);
reshape(x, ['M', 768]);
permute(heads, [0, 1]);
permute(heads, [0, 1, 1]);
concat([x, y], 0);
split(x, 3, 5);
expand(x, [12, 'N', 512]);
squeeze(x, 1);
conv2d(image, param('weight', [8, 3, 3, 3]));
conv2d(x, param('weight', [8, 3, 3, 3]));
conv2d(image, param('weight', [8, 4, 3, 3]), param('bias', [4]));
groupNorm(image, param('weight', [8]), param('bias', [4]), { groups: 2 });
einsum('ij,jk->ik', x, y);
einsum('ijk,ij->k', x, y);
einsum('nc,nd->cd', heads, y);
maskedFill(x, m, 0);

linear(y, transpose(x, 0, 1));
nn.embedding('wte', x, [100]);

function block(input: Tensor<['N', 768]>): Tensor<['N', 768]> {
  return nn.linear('fc', input, 3072);
}
block(y);
