import { addDims, type Dim, floorDivDim, mulDims, printShape, type Shape } from '../dims.ts';
import type { Attrs } from '../node.ts';
import type { Window } from '../pattern.ts';
import { check } from './op.ts';
import { numbersAttr } from './support.ts';

/** Windows over the last two axes: rows and columns. */
export type Windows = readonly [rows: Window, columns: Window];

export const UNIT_WINDOWS = { stride: [1, 1], padding: [0, 0], dilation: [1, 1] } as const;

/** A pair of integers from an attribute (rows, columns), each at least `least`. */
export function pairAttr(op: string, attrs: Attrs, name: string, least: number): readonly [number, number] {
  const pair = numbersAttr(attrs, name);
  check(
    pair.length === 2 && pair.every((value) => Number.isInteger(value) && value >= least),
    op,
    () => `expected ${name} to be two integers ≥ ${least} (rows, columns), got [${pair.join(', ')}]`,
  );
  return pair as readonly number[] as readonly [number, number];
}

/** The windows that attributes `stride`, `padding` and `dilation` describe for a kernel of `size`. */
export function windowsOf(op: string, attrs: Attrs, size: readonly [number, number]): Windows {
  const stride = pairAttr(op, attrs, 'stride', 1);
  const padding = pairAttr(op, attrs, 'padding', 0);
  const dilation = pairAttr(op, attrs, 'dilation', 1);
  return [0, 1].map((axis) => ({
    size: size[axis] as number,
    stride: stride[axis] as number,
    dilation: dilation[axis] as number,
    padding: padding[axis] as number,
  })) as unknown as Windows;
}

/** How many places a window has along an axis. Throws ShapeError when it does not fit or the count is no polynomial. */
export function places(op: string, extent: Dim, { size, stride, dilation, padding }: Window): Dim {
  const reach = dilation * (size - 1) + 1;
  const room = addDims(extent, 2 * padding - reach);
  check(
    typeof room !== 'number' || room >= 0,
    op,
    () => `a window of ${reach} does not fit into ${extent} elements with padding ${padding}`,
  );
  const steps = floorDivDim(room, stride);
  check(
    steps !== undefined,
    op,
    () =>
      `${extent} elements in steps of ${stride} are no whole number for every ${extent}; write the extent as a multiple, such as '${mulDims(stride, 'n')}'`,
  );
  return addDims(steps, 1);
}

/** [n, c, rows, columns] of an image. Throws ShapeError otherwise. */
export function imageShape(op: string, shape: Shape): readonly [Dim, Dim, Dim, Dim] {
  check(
    shape.length === 4,
    op,
    () => `expected an image [batch, channels, rows, columns], got ${printShape(shape)}`,
  );
  return shape as readonly [Dim, Dim, Dim, Dim];
}

/** A window that looks at one element, its own. */
const isUnit = ({ size, stride, padding }: Window): boolean => size === 1 && stride === 1 && padding === 0;

/**
 * The windowed axis in index notation: plain for a window of one element, `(place tap)` where windows tile the axis, so
 * that it can be cut between them, and `place~` where they slide.
 */
export function windowTerm(place: string, tap: string, window: Window, extent: Dim, count: Dim): string {
  if (isUnit(window)) return place;
  const tiles =
    window.stride === window.size && window.dilation === 1 && window.padding === 0 && window.size > 1;
  return tiles && mulDims(count, window.size) === extent ? `(${place} ${tap})` : `${place}~`;
}

/** Calls `visit` with every element under the window at `place`: its index, and which of the window's it is. */
export function forEachTap(
  { size, stride, dilation, padding }: Window,
  place: number,
  extent: number,
  visit: (index: number, tap: number) => void,
): void {
  for (let tap = 0; tap < size; tap++) {
    const index = place * stride + tap * dilation - padding;
    if (index >= 0 && index < extent) visit(index, tap);
  }
}
