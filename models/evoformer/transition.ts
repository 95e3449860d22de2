import { mul, nn, relu, unsqueeze } from 'autochunk';
import type { Mask, Rows } from './shapes.ts';

/**
 * Algorithms 9 (MSA) and 15 (pair): a two-layer perceptron at every position. As in OpenFold, masked positions are not
 * updated.
 */
export function transition(x: Rows, mask: Mask, factor: number): Rows {
  const width = x.shape[2];
  const hidden = relu(nn.linear('linear_1', nn.layerNorm('layer_norm', x), factor * width));
  return mul(nn.linear('linear_2', hidden, width), unsqueeze(mask, 2));
}
