import { divDims, printShape } from '../../ir/dims.ts';
import type { Dim, Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import type { FitsChannels, IsImage, Keeps, Padding, Pair, PerChannel, Slid } from '../window-shapes.ts';
import { emit, expectThat } from './emit.ts';

export interface ConvOptions {
  /** Elements between one place of the kernel and the next. Default: 1. */
  readonly stride?: Pair;
  /** Zeros around the image: rows and columns, or above, below, left and right. Default: 0. */
  readonly padding?: Padding;
  /** Elements between one tap of the kernel and the next. Default: 1. */
  readonly dilation?: Pair;
  /** Groups of channels that see only their own. Default: 1. */
  readonly groups?: number;
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Rows and columns added to the result at its end. Default: 0. */
  readonly outputPadding?: Pair;
}

/** A number for both axes as two. */
export const pair = (value: Pair): readonly [number, number] =>
  typeof value === 'number' ? [value, value] : value;

/** Padding as two numbers where opposite sides are equal, else as four. */
export function paddingAttr(op: string, padding: Padding): readonly number[] {
  const sides = typeof padding === 'number' ? [padding, padding] : padding;
  expectThat(
    sides.every((side) => Number.isInteger(side) && side >= 0),
    op,
    () =>
      `expected padding to be integers ≥ 0 (one, rows and columns, or top, bottom, left and right), got [${sides.join(', ')}]`,
  );
  const [top, bottom, left, right] = sides;
  return sides.length === 4 && top === bottom && left === right ? [top as number, left as number] : sides;
}

/** The attributes of windows. */
export const windowAttrs = (op: string, { stride = 1, padding = 0, dilation = 1 }: ConvOptions) => ({
  stride: pair(stride),
  padding: paddingAttr(op, padding),
  dilation: pair(dilation),
});

/** `groups` and the channels per group, which a weight must have. */
export function groupSize(op: string, shape: Shape, groups: number): Dim {
  const channels = shape[1];
  const size =
    channels !== undefined && Number.isInteger(groups) && groups > 0 ? divDims(channels, groups) : undefined;
  expectThat(
    size !== undefined,
    op,
    () => `the channels of ${printShape(shape)} cannot be put into ${groups} groups`,
  );
  return size;
}

/**
 * Convolution of an image [n, c, rows, columns] with a weight [out, c / groups, kernel rows, kernel columns] and perhaps a
 * bias [out], as PyTorch's: taps outside the image count as zero. A side of e elements becomes
 * ⌊(e + padding of both sides - dilation·(kernel - 1) - 1) / stride⌋ + 1.
 */
export function conv2d<
  X extends Shape,
  C extends Dim,
  I extends Dim,
  K extends Dim,
  L extends Dim,
  B extends Shape,
  const O extends ConvOptions = Record<never, never>,
>(
  x: Tensor<X> & IsImage<'conv2d', X>,
  weight: Tensor<readonly [C, I, K, L]> & FitsChannels<'conv2d', X, [C, I, K, L], I, O>,
  bias?: (Tensor<B> & PerChannel<'conv2d: bias', C, B>) | undefined,
  options?: O,
): Tensor<Slid<X, C, K extends L ? Keeps<K, O> : false>> {
  const given: ConvOptions = options ?? {};
  const inGroup = groupSize('conv2d', x.shape, given.groups ?? 1);
  expectThat(
    weight.shape[1] === inGroup,
    'conv2d',
    () =>
      `expected a weight [out, ${inGroup}, rows, columns] for ${printShape(x.shape)} in ${given.groups ?? 1} groups, got ${printShape(weight.shape)}`,
  );
  return emit('conv2d', bias ? [x, weight, bias] : [x, weight], windowAttrs('conv2d', given));
}

/**
 * Transposed convolution of an image [n, c, rows, columns] with a weight [c, out / groups, kernel rows, kernel columns] and
 * perhaps a bias [out], as PyTorch's. A side of e elements becomes
 * (e - 1)·stride - padding of both sides + dilation·(kernel - 1) + outputPadding + 1.
 */
export function convTranspose2d<X extends Shape, B extends Shape>(
  x: Tensor<X> & IsImage<'convTranspose2d', X>,
  weight: Tensor<readonly [Dim, Dim, Dim, Dim]>,
  bias?: Tensor<B> | undefined,
  options: ConvTransposeOptions = {},
): Tensor<Slid<X, Dim, false>> {
  const { outputPadding = 0, groups = 1 } = options;
  const channelsPerGroup = groupSize('convTranspose2d', x.shape, groups);
  return emit('convTranspose2d', bias ? [x, weight, bias] : [x, weight], {
    ...windowAttrs('convTranspose2d', options),
    outputPadding: pair(outputPadding),
    channelsPerGroup,
  });
}
