import { mul, nn, relu, unsqueeze } from 'autochunk';
import type { EvoformerConfig } from './config.ts';
import type { Mask, Rows } from './shapes.ts';

/** Algorithms 9 (MSA) and 15 (pairs): a perceptron with one hidden layer at every position. */
export function transition(x: Rows, mask: Mask, config: EvoformerConfig): Rows {
  const width = x.shape[2];
  const hidden = relu(nn.linear('linear_1', nn.layerNorm('layer_norm', x), config.transition_n * width));
  const update = nn.linear('linear_2', hidden, width);
  return config.mask_transitions ? mul(update, unsqueeze(mask, 2)) : update;
}
