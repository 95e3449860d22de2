import {
  add,
  type Dim,
  matmul,
  mul,
  nn,
  permute,
  reshape,
  scope,
  sigmoid,
  softmax,
  sub,
  type Tensor,
} from 'autochunk';
import { INFINITE_SCORE } from './config.ts';
import type { Mask, Rows } from './shapes.ts';

export interface Heads {
  readonly heads: number;
  /** Channels per head. */
  readonly channels: number;
}

/**
 * Gated self-attention within every row of x [rows, N, c], shared by algorithms 7, 8, 13 and 14:
 * o = softmax(q·kᵀ/√channels + biases)·v, gated by sigmoid(Linear(x)).
 *
 * @param biases added to the scores [rows, heads, N, N], which they broadcast to
 */
export function gatedAttention(x: Rows, biases: readonly Tensor[], { heads, channels }: Heads): Rows {
  return scope('mha', () => {
    const [rows, length, width] = x.shape;
    const project = (name: string): Tensor<readonly [Dim, Dim, number, number]> =>
      reshape(nn.linear(name, x, heads * channels, { bias: false }), [rows, length, heads, channels]);
    const queries = permute(mul(project('linear_q'), 1 / Math.sqrt(channels)), [0, 2, 1, 3]);
    const keysTransposed = permute(project('linear_k'), [0, 2, 3, 1]);
    const values = permute(project('linear_v'), [0, 2, 1, 3]);
    let scores: Tensor = matmul(queries, keysTransposed);
    for (const bias of biases) {
      scores = add(scores, bias);
    }
    const weights = softmax(scores);
    const context = permute(matmul(weights, values), [0, 2, 1, 3]);
    const gate = sigmoid(nn.linear('linear_g', x, heads * channels));
    const gated = mul(context, reshape(gate, [rows, length, heads, channels]));
    return nn.linear('linear_o', reshape(gated, [rows, length, heads * channels]), width);
  });
}

/** 0 where a mask [rows, N] is 1, the lowest score where it is 0: a bias [rows, 1, 1, N] of attention scores. */
export function maskBias(mask: Mask): Tensor<readonly [Dim, 1, 1, Dim]> {
  const [rows, length] = mask.shape;
  return reshape(mul(sub(mask, 1), INFINITE_SCORE), [rows, 1, 1, length]);
}

/** Linear(x) without bias, one channel per head, as a bias [heads, N, N] of attention scores. */
export const pairBias = (name: string, x: Rows, heads: number): Tensor<readonly [number, Dim, Dim]> =>
  permute(nn.linear(name, x, heads, { bias: false }), [2, 0, 1]);
