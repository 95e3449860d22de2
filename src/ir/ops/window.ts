import { addDims, type Dim, floorDivDim, mulDims, printShape, type Shape } from '../dims.ts';
import type { Attrs } from '../node.ts';
import type { Window } from '../pattern.ts';
import { check } from './op.ts';
import { dimsAttr, numbersAttr } from './support.ts';

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

/**
 * The padding of rows and columns: two numbers, the same on both sides of an axis, or four (top, bottom, left, right). A
 * negative one at the bottom or on the right leaves elements out. In the body of a loop they depend on the iteration.
 */
function paddings(op: string, attrs: Attrs): readonly [Window['padding'], Window['padding']] {
  const given = dimsAttr(attrs, 'padding');
  const [top = 0, bottom = 0, left = 0, right = 0] =
    given.length === 2 ? [given[0], given[0], given[1], given[1]] : given;
  check(
    (given.length === 2 || given.length === 4) &&
      given.every((n) => typeof n !== 'number' || Number.isInteger(n)) &&
      [top, left].every((n) => typeof n !== 'number' || n >= 0),
    op,
    () =>
      `expected padding to be two integers ≥ 0 (rows, columns) or four (top, bottom, left, right), got [${given.join(', ')}]`,
  );
  return [
    [top, bottom],
    [left, right],
  ];
}

/** The attributes with other padding before and after rows (axis 2 of an image) or columns (axis 3). */
export function withPadding(op: string, attrs: Attrs, axis: number, sides: Window['padding']): Attrs {
  const [rows, columns] = paddings(op, attrs);
  return { ...attrs, padding: axis === 2 ? [...sides, ...columns] : [...rows, ...sides] };
}

/** The windows that attributes `stride`, `padding` and `dilation` describe for a kernel of `size`. */
export function windowsOf(op: string, attrs: Attrs, size: readonly [number, number]): Windows {
  const stride = pairAttr(op, attrs, 'stride', 1);
  const padding = paddings(op, attrs);
  const dilation = pairAttr(op, attrs, 'dilation', 1);
  return [0, 1].map((axis) => ({
    size: size[axis] as number,
    stride: stride[axis] as number,
    dilation: dilation[axis] as number,
    padding: padding[axis] as Window['padding'],
  })) as unknown as Windows;
}

/** `1`, or `1 and 2` where the sides differ. */
export const printPadding = ([before, after]: Window['padding']): string =>
  before === after ? `${before}` : `${before} and ${after}`;

/** Is there no padding on either side? */
const isBare = ({ padding }: Window): boolean => padding.every((side) => side === 0);

/** How many places a window has along an axis. Throws ShapeError when it does not fit or the count is no polynomial. */
export function places(op: string, extent: Dim, { size, stride, dilation, padding }: Window): Dim {
  const reach = dilation * (size - 1) + 1;
  const room = addDims(extent, ...padding, -reach);
  check(
    typeof room !== 'number' || room >= 0,
    op,
    () => `a window of ${reach} does not fit into ${extent} elements with padding ${printPadding(padding)}`,
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
const isUnit = (window: Window): boolean => window.size === 1 && window.stride === 1 && isBare(window);

/**
 * The windowed axis in index notation: plain for a window of one element, `(place tap)` where windows tile the axis, so
 * that it can be cut between them, and `place~` where they slide.
 */
export function windowTerm(place: string, tap: string, window: Window, extent: Dim, count: Dim): string {
  if (isUnit(window)) return place;
  const tiles = window.stride === window.size && window.dilation === 1 && isBare(window) && window.size > 1;
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
    const index = place * stride + tap * dilation - (padding[0] as number);
    if (index >= 0 && index < extent) visit(index, tap);
  }
}
