import type { Dim, Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import type { ChannelsOf, PerChannel } from '../window-shapes.ts';
import { groupSize } from './conv.ts';
import { emit } from './emit.ts';

export interface GroupNormOptions {
  /** Groups of channels, each with a mean and a variance of its own. */
  readonly groups: number;
  /** Default: 1e-5. */
  readonly epsilon?: number;
}

/** Groups of channels of [n, c, …] shifted to mean 0 and scaled to variance 1, then weight [c] and bias [c]. */
export function groupNorm<X extends Shape, W extends Shape, B extends Shape>(
  x: Tensor<X>,
  weight: Tensor<W> & PerChannel<'groupNorm: weight', ChannelsOf<X>, W>,
  bias: Tensor<B> & PerChannel<'groupNorm: bias', ChannelsOf<X>, B>,
  { groups, epsilon = 1e-5 }: GroupNormOptions,
): Tensor<X> {
  const channelsPerGroup: Dim = groupSize('groupNorm', x.shape, groups);
  return emit('groupNorm', [x, weight, bias], { channelsPerGroup, epsilon });
}
