import type { Layout } from '../layout/layout.ts';

/** A layout of rank ≤ 3 as executors see it: extents and strides of z, y, x in elements, and the first element. */
export interface View3 {
  readonly base: number;
  readonly extents: readonly [z: number, y: number, x: number];
  readonly strides: readonly [z: number, y: number, x: number];
}

/** Pads with leading axes of extent 1. An axis of extent 1 gets stride 0: its index is always 0. */
export function toView3(layout: Layout): View3 {
  const lead = 3 - layout.shape.length;
  const extent = (axis: number): number => (axis < lead ? 1 : (layout.shape[axis - lead] as number));
  const stride = (axis: number): number =>
    extent(axis) === 1 ? 0 : (layout.strides[axis - lead] as number);
  return {
    base: layout.offset,
    extents: [extent(0), extent(1), extent(2)],
    strides: [stride(0), stride(1), stride(2)],
  };
}

/** The lowest and one past the highest element that a layout touches; equal when it has no elements. */
export function span(layout: Layout): { first: number; end: number } {
  let first = layout.offset;
  let last = layout.offset;
  for (let axis = 0; axis < layout.shape.length; axis++) {
    const extent = layout.shape[axis] as number;
    if (extent === 0) return { first: layout.offset, end: layout.offset };
    const reach = (extent - 1) * (layout.strides[axis] as number);
    if (reach < 0) first += reach;
    else last += reach;
  }
  return { first, end: last + 1 };
}

/** The elements of `layout` in row-major order. `elements[0]` is element `first` of the storage. */
export function gather(elements: Float32Array, layout: Layout, first: number): Float32Array {
  const { shape, strides } = layout;
  const rank = shape.length;
  const out = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const rowLength = shape[rank - 1] ?? 1;
  const rowStride = strides[rank - 1] ?? 0;
  const index = new Array<number>(rank).fill(0);
  let start = layout.offset - first;
  for (let at = 0; at < out.length; at += rowLength) {
    for (let i = 0; i < rowLength; i++) out[at + i] = elements[start + i * rowStride] as number;
    for (let axis = rank - 2; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      start += strides[axis] as number;
      if (next < (shape[axis] as number)) {
        index[axis] = next;
        break;
      }
      start -= next * (strides[axis] as number);
      index[axis] = 0;
    }
  }
  return out;
}
