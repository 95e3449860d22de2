import { defineModel, f32, i32, matmul, nn, permute, softmax } from '../../src/index.ts';

/** Attention over N tokens, and an input that has N twice. */
export const attention = defineModel(
  'attention',
  { tokens: i32('N', { below: 11 }), bias: f32('N', 'N') },
  ({ tokens, bias }) => {
    const x = nn.embedding('wte', tokens, [11, 16]);
    const scores = matmul(nn.linear('q', x, 16), permute(nn.linear('k', x, 16), [1, 0]));
    return { y: matmul(softmax(scores, 1), nn.linear('v', x, 16)), rows: softmax(bias, 1) };
  },
);
