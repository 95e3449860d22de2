/**
 * Stride arithmetic, shared by the memory model (which views are free) and the runtime (how a view addresses its
 * storage). A layout maps an index to `offset + Σ index[i] · strides[i]`, in elements. Pure numbers, no imports.
 */
export interface Layout {
  readonly shape: readonly number[];
  /** Elements; 0 on a broadcast axis. */
  readonly strides: readonly number[];
  /** Elements from the start of the storage. */
  readonly offset: number;
}

export const elementCount = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Row-major strides: the last axis has stride 1. */
export function contiguous(shape: readonly number[]): Layout {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return { shape, strides, offset: 0 };
}

export function isContiguous(layout: Layout): boolean {
  let stride = 1;
  for (let axis = layout.shape.length - 1; axis >= 0; axis--) {
    const extent = layout.shape[axis] as number;
    if (extent !== 1 && layout.strides[axis] !== stride) return false;
    stride *= extent;
  }
  return true;
}

/** Do two layouts give every index the same element? */
export const sameLayout = (a: Layout, b: Layout): boolean =>
  a.offset === b.offset &&
  a.shape.length === b.shape.length &&
  a.shape.every(
    (extent, axis) => extent === b.shape[axis] && (extent === 1 || a.strides[axis] === b.strides[axis]),
  );

/** Elements `start ≤ i < stop` of one axis. */
export function sliceLayout(layout: Layout, axis: number, start: number, stop: number): Layout {
  const shape = [...layout.shape];
  shape[axis] = stop - start;
  return { shape, strides: layout.strides, offset: layout.offset + start * (layout.strides[axis] as number) };
}

/** Axis `i` of the result is axis `axes[i]` of the source. */
export const permuteLayout = (layout: Layout, axes: readonly number[]): Layout => ({
  shape: axes.map((axis) => layout.shape[axis] as number),
  strides: axes.map((axis) => layout.strides[axis] as number),
  offset: layout.offset,
});

/** Numpy broadcasting to `shape`: missing leading axes and axes of extent 1 get stride 0. `undefined` if impossible. */
export function expandLayout(layout: Layout, shape: readonly number[]): Layout | undefined {
  const lead = shape.length - layout.shape.length;
  if (lead < 0) return undefined;
  const strides: number[] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    const from = axis < lead ? 1 : (layout.shape[axis - lead] as number);
    const to = shape[axis] as number;
    if (from !== to && from !== 1) return undefined;
    strides.push(axis < lead || (from === 1 && to !== 1) ? 0 : (layout.strides[axis - lead] as number));
  }
  return { shape, strides, offset: layout.offset };
}

/**
 * The same elements in row-major order under another shape, without moving them; `undefined` when the strides do not
 * allow it and the elements must be copied. Element counts must agree.
 */
export function reshapeLayout(layout: Layout, shape: readonly number[]): Layout | undefined {
  const groups = mergeable(layout);
  const strides = new Array<number>(shape.length).fill(0);
  let axis = shape.length - 1;
  for (let g = groups.length - 1; g >= 0; g--) {
    const group = groups[g] as { extent: number; stride: number };
    let left = group.extent;
    let stride = group.stride;
    while (left > 1) {
      while (axis >= 0 && shape[axis] === 1) axis--;
      if (axis < 0) return undefined;
      const extent = shape[axis] as number;
      if (left % extent !== 0) return undefined;
      strides[axis] = stride;
      stride *= extent;
      left /= extent;
      axis--;
    }
  }
  for (let i = shape.length - 1, stride = 1; i >= 0; i--) {
    if (shape[i] === 1) strides[i] = stride;
    stride = (strides[i] as number) * (shape[i] as number);
  }
  return { shape, strides, offset: layout.offset };
}

/** Runs of axes that address memory like one axis, outermost first; axes of extent 1 vanish. */
function mergeable(layout: Layout): { extent: number; stride: number }[] {
  const groups: { extent: number; stride: number }[] = [];
  for (let axis = 0; axis < layout.shape.length; axis++) {
    const extent = layout.shape[axis] as number;
    const stride = layout.strides[axis] as number;
    if (extent === 1) continue;
    const last = groups.at(-1);
    if (last && last.stride === stride * extent) {
      last.extent *= extent;
      last.stride = stride;
    } else {
      groups.push({ extent, stride });
    }
  }
  return groups;
}

/**
 * Merges neighbouring axes that every layout of a kernel call addresses like one axis, so that a rank-4 call becomes
 * rank 3 or less where strides allow. All layouts must have the same shape. Returns layouts of one common shape.
 */
export function foldAxes(layouts: readonly Layout[], keepLast = 0): Layout[] {
  const shape = layouts[0]?.shape ?? [];
  const rank = shape.length;
  const extents: number[] = [];
  /** The innermost axis of every run. */
  const innermost: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const extent = shape[axis] as number;
    const mayGo = axis < rank - keepLast;
    if (extent === 1 && mayGo && rank > 1) continue;
    const last = extents.length - 1;
    if (last >= 0 && mayGo && continues(layouts, innermost[last] as number, axis, extent)) {
      extents[last] = (extents[last] as number) * extent;
      innermost[last] = axis;
    } else {
      extents.push(extent);
      innermost.push(axis);
    }
  }
  return layouts.map(({ strides, offset }) => ({
    shape: extents,
    strides: innermost.map((axis) => strides[axis] as number),
    offset,
  }));
}

/** Whether every layout goes on from the end of `axis` where the next element of `outer` is. */
function continues(layouts: readonly Layout[], outer: number, axis: number, extent: number): boolean {
  for (const { strides } of layouts) if (strides[outer] !== (strides[axis] as number) * extent) return false;
  return true;
}
