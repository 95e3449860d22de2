import type { Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import type { ChannelsOf, IsImage, Padding, Pair, Slid } from '../window-shapes.ts';
import { paddingAttr, pair } from './conv.ts';
import { emit, expectThat } from './emit.ts';

export interface PoolOptions {
  /** Rows and columns of the window. */
  readonly kernel: Pair;
  /** Elements between one place of the window and the next. Default: the size of the window. */
  readonly stride?: Pair;
  /** Around the image: rows and columns, or above, below, left and right; at most half of the window. Default: 0. */
  readonly padding?: Padding;
}

const attrsOf = (op: string, { kernel, stride = kernel, padding = 0 }: PoolOptions) => ({
  kernel: pair(kernel),
  stride: pair(stride),
  padding: paddingAttr(op, padding),
});

/** Largest element under a window that slides over rows and columns of [n, c, rows, columns], as PyTorch's. */
export function maxPool2d<X extends Shape>(
  x: Tensor<X> & IsImage<'maxPool2d', X>,
  options: PoolOptions & { readonly dilation?: Pair },
): Tensor<Slid<X, ChannelsOf<X>, false>> {
  return emit('maxPool2d', [x], { ...attrsOf('maxPool2d', options), dilation: pair(options.dilation ?? 1) });
}

/**
 * Mean of the elements under a window that slides over rows and columns of [n, c, rows, columns], as PyTorch's. Padding
 * counts as zeros, or not at all with `countIncludePad: false`.
 */
export function avgPool2d<X extends Shape>(
  x: Tensor<X> & IsImage<'avgPool2d', X>,
  options: PoolOptions & { readonly countIncludePad?: boolean },
): Tensor<Slid<X, ChannelsOf<X>, false>> {
  return emit('avgPool2d', [x], {
    ...attrsOf('avgPool2d', options),
    countIncludePad: options.countIncludePad ?? true,
  });
}

/** Every element of [n, c, rows, columns] repeated `scale` × `scale` times. */
export function upsampleNearest2d<X extends Shape>(
  x: Tensor<X> & IsImage<'upsampleNearest2d', X>,
  { scale }: { readonly scale: number },
): Tensor<Slid<X, ChannelsOf<X>, false>> {
  expectThat(
    Number.isInteger(scale) && scale > 0,
    'upsampleNearest2d',
    () => `expected a positive integer as scale, got ${scale}`,
  );
  return emit('upsampleNearest2d', [x], { scale });
}
