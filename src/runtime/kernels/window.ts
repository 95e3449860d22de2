import type { Layout } from '../../layout/layout.ts';
import type { StorageView } from '../device.ts';
import type { Tensor } from '../tensor.ts';
import { append, axesOf, forEachFolded } from './fold.ts';
import { expect, expectShape, printShape } from './options.ts';

/** Rows and columns. */
export type Pair = readonly [number, number];

export type Padding = Pair | Sides;
/** What is above, below, left and right. Negative below or on the right: elements left out. */
export type Sides = readonly [top: number, bottom: number, left: number, right: number];

export const sidesOf = (padding: Padding): Sides =>
  padding.length === 4 ? padding : [padding[0], padding[0], padding[1], padding[1]];

export interface WindowOptions {
  readonly stride?: Pair;
  /** Rows and columns around the image, or what is above, below, left and right of it. */
  readonly padding?: Padding;
  readonly dilation?: Pair;
}

export type Extents4 = readonly [number, number, number, number];

export function expectImage(op: string, x: Tensor): Extents4 {
  expect(
    x.shape.length === 4,
    op,
    () => `expected an image [batch, channels, rows, columns], got ${printShape(x.shape)}`,
  );
  return x.shape as readonly number[] as Extents4;
}

/** How many places a window of `size` has along an axis. */
export const places = (
  extent: number,
  size: number,
  stride: number,
  before: number,
  after: number,
  dilation: number,
): number => Math.floor((extent + before + after - dilation * (size - 1) - 1) / stride) + 1;

/** Throws UserError unless `into` has the places of the windows over the rows and columns of `x`. */
export function expectPlaces(
  op: string,
  x: Tensor,
  into: Tensor,
  channels: number,
  size: Pair,
  { stride = [1, 1], padding = [0, 0], dilation = [1, 1] }: WindowOptions,
): void {
  const [batch, , rows, columns] = expectImage(op, x);
  const [top, bottom, left, right] = sidesOf(padding);
  expectShape(op, 'a result', into, [
    batch,
    channels,
    places(rows, size[0], stride[0], top, bottom, dilation[0]),
    places(columns, size[1], stride[1], left, right, dilation[1]),
  ]);
}

/**
 * Calls `run` with views [planes, rows, columns] of the result and of the images of equal batch and channels; the host
 * loops where batch and channels do not fold into one axis.
 */
export function forEachPlane(
  out: StorageView,
  x: StorageView,
  run: (out: StorageView, x: StorageView) => void,
): void {
  const views = [out, x];
  forEachFolded(
    views.map(({ layout }) => axesOf(layout, 0, 2)),
    1,
    (planes) => {
      const [target, source] = views.map(({ storage, layout }, i) => ({
        storage,
        layout: append(planes[i] as Layout, axesOf(layout, 2, 4)),
      })) as [StorageView, StorageView];
      run(target, source);
    },
  );
}

/** The layout with the first axis fixed. */
export const atFirst = (layout: Layout, index: number): Layout => ({
  shape: layout.shape.slice(1),
  strides: layout.strides.slice(1),
  offset: layout.offset + index * (layout.strides[0] as number),
});
