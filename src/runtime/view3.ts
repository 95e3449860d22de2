import { elementCount, isContiguous, type Layout } from '../layout/layout.ts';

/** A layout of rank ≤ 3 as executors see it: extents and strides of z, y, x in elements, and the first element. */
export interface View3 {
  readonly base: number;
  readonly extents: readonly [z: number, y: number, x: number];
  readonly strides: readonly [z: number, y: number, x: number];
}

/** Pads with leading axes of extent 1. An axis of extent 1 gets stride 0: its index is always 0. */
export function toView3({ shape, strides, offset }: Layout): View3 {
  const lead = 3 - shape.length;
  const [z, y, x] = [extentOf(shape, -lead), extentOf(shape, 1 - lead), extentOf(shape, 2 - lead)];
  const stride = (axis: number, extent: number): number => (extent === 1 ? 0 : (strides[axis] as number));
  return {
    base: offset,
    extents: [z, y, x],
    strides: [stride(-lead, z), stride(1 - lead, y), stride(2 - lead, x)],
  };
}

const extentOf = (shape: readonly number[], axis: number): number => (axis < 0 ? 1 : (shape[axis] as number));

/** Do two views of one storage address every element alike? */
export const sameView = (a: View3, b: View3): boolean =>
  a.base === b.base &&
  a.extents.every((extent, axis) => extent === b.extents[axis] && a.strides[axis] === b.strides[axis]);

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

/** The elements of `layout` in row-major order. `elements` holds its span, from element `first` of the storage on. */
export function gather(elements: Float32Array, layout: Layout, first: number): Float32Array {
  if (isContiguous(layout)) return elements;
  const out = new Float32Array(elementCount(layout.shape));
  const stride = layout.strides.at(-1) ?? 0;
  for (const { at, element, length } of rows(layout)) {
    for (let i = 0; i < length; i++) out[at + i] = elements[element - first + i * stride] as number;
  }
  return out;
}

/** The runs of neighbouring elements of a storage that make up `layout`; `at` counts in row-major order. */
export function* runs(layout: Layout): Generator<Row> {
  const stride = layout.strides.at(-1) ?? 1;
  if (isContiguous(layout)) {
    const length = elementCount(layout.shape);
    if (length > 0) yield { at: 0, element: layout.offset, length };
    return;
  }
  for (const row of rows(layout)) {
    if (stride === 1) yield row;
    else {
      for (let i = 0; i < row.length; i++) {
        yield { at: row.at + i, element: row.element + i * stride, length: 1 };
      }
    }
  }
}

interface Row {
  /** Position of the first element in row-major order. */
  readonly at: number;
  /** Its position in the storage. */
  readonly element: number;
  readonly length: number;
}

/** Every row along the last axis, in order. */
function* rows({ shape, strides, offset }: Layout): Generator<Row> {
  const last = shape.length - 1;
  const length = shape[last] ?? 1;
  const count = elementCount(shape);
  const index = new Array<number>(shape.length).fill(0);
  let element = offset;
  for (let at = 0; at < count; at += length) {
    yield { at, element, length };
    for (let axis = last - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      element += strides[axis] as number;
      if (next < (shape[axis] as number)) {
        index[axis] = next;
        break;
      }
      element -= next * (strides[axis] as number);
      index[axis] = 0;
    }
  }
}
