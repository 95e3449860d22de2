import { invariant } from '../../errors.ts';
import { expandLayout, foldAxes, type Layout, permuteLayout } from '../../layout/layout.ts';
import type { Device, StorageView } from '../device.ts';
import type { Kernel } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { broadcast, expectShape } from './options.ts';

/**
 * Brings layouts of one common shape to exactly `rank` axes: neighbouring axes that all layouts address like one are
 * merged, missing ones are added in front, and the host loops over what is still too many. Kernels see three axes at
 * most; this is where every other rank goes.
 */
export function forEachFolded(
  layouts: readonly Layout[],
  rank: number,
  run: (layouts: readonly Layout[]) => void,
): void {
  const folded = foldAxes(layouts);
  const extents = folded[0]?.shape ?? [];
  const surplus = extents.length - rank;
  if (surplus === 0) {
    run(folded);
    return;
  }
  if (surplus < 0) {
    const ones = new Array<number>(-surplus).fill(1);
    const zeros = new Array<number>(-surplus).fill(0);
    run(
      folded.map(({ shape, strides, offset }) => ({
        shape: [...ones, ...shape],
        strides: [...zeros, ...strides],
        offset,
      })),
    );
    return;
  }
  const outer = extents.slice(0, surplus);
  const index = new Array<number>(surplus).fill(0);
  const total = outer.reduce((a, b) => a * b, 1);
  for (let step = 0; step < total; step++) {
    run(
      folded.map(({ shape, strides, offset }) => ({
        shape: shape.slice(surplus),
        strides: strides.slice(surplus),
        offset: index.reduce((at, i, axis) => at + i * (strides[axis] as number), offset),
      })),
    );
    for (let axis = surplus - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (outer[axis] as number)) break;
      index[axis] = 0;
    }
  }
}

/** The axes `from … to` of a layout; the rest stays at index 0. */
export const axesOf = (layout: Layout, from: number, to: number): Layout => ({
  shape: layout.shape.slice(from, to),
  strides: layout.strides.slice(from, to),
  offset: layout.offset,
});

/** `layout` followed by the axes of `inner`; the offset is that of `layout`. */
export const append = (layout: Layout, inner: Layout): Layout => ({
  shape: [...layout.shape, ...inner.shape],
  strides: [...layout.strides, ...inner.strides],
  offset: layout.offset,
});

export const withoutAxis = (layout: Layout, axis: number): Layout => ({
  shape: layout.shape.filter((_, i) => i !== axis),
  strides: layout.strides.filter((_, i) => i !== axis),
  offset: layout.offset,
});

/** `layout` repeated along a new axis. */
export const repeatAlong = (layout: Layout, axis: number, extent: number): Layout => ({
  shape: layout.shape.toSpliced(axis, 0, extent),
  strides: layout.strides.toSpliced(axis, 0, 0),
  offset: layout.offset,
});

/** Broadcasts a layout that is known to fit. */
export function expanded(layout: Layout, shape: readonly number[]): Layout {
  const result = expandLayout(layout, shape);
  invariant(result, () => `[${layout.shape}] does not broadcast to [${shape}]`);
  return result;
}

/** Neighbouring axes merged; where more than `rank` are left, the shortest but for the last come first. */
function longestAxesLast(layouts: readonly Layout[], rank: number): readonly Layout[] {
  const folded = foldAxes(layouts);
  const extents = folded[0]?.shape ?? [];
  const last = extents.length - 1;
  if (extents.length <= rank) return folded;
  const byLength = [...extents.keys()]
    .slice(0, last)
    .sort((a, b) => (extents[a] as number) - (extents[b] as number));
  const outer = byLength.slice(0, extents.length - rank);
  const axes = [...outer, ...[...extents.keys()].filter((axis) => !outer.includes(axis))];
  return folded.map((layout) => permuteLayout(layout, axes));
}

/** Runs a kernel over every element of `out`, in any order; all views have its shape. */
export function dispatchFolded(
  device: Device,
  kernel: Kernel,
  out: StorageView,
  arrays: readonly StorageView[],
  scalars: readonly number[] = [],
): void {
  const layouts = longestAxesLast([out.layout, ...arrays.map((array) => array.layout)], 3);
  forEachFolded(layouts, 3, ([target, ...sources]) => {
    device.dispatch(
      kernel,
      { storage: out.storage, layout: target as Layout },
      arrays.map(({ storage }, i) => ({ storage, layout: sources[i] as Layout })),
      scalars,
    );
  });
}

/** Broadcasts the operands and runs an elementwise kernel into `into`. */
export function elementwise(
  op: string,
  kernel: Kernel,
  operands: readonly Tensor[],
  into: Tensor,
  scalars: readonly number[] = [],
): Tensor {
  const shape = broadcast(
    op,
    operands.map((operand) => operand.shape),
  );
  expectShape(op, 'a result', into, shape);
  const arrays = operands.map((operand) => {
    const { storage, layout } = operand.view;
    return { storage, layout: expanded(layout, shape) };
  });
  dispatchFolded(into.device, kernel, into.view, arrays, scalars);
  return into;
}

/**
 * Runs a kernel once per line of `x` along `axis`: the kernel sees `x[y][x][i]`, i along the line, and the other arrays
 * and the result, one element a line, as `[0][y][x]`.
 */
export function dispatchLines(
  device: Device,
  kernel: Kernel,
  out: StorageView,
  x: StorageView,
  axis: number,
  perLine: readonly StorageView[],
  scalars: readonly number[],
): void {
  const line = axesOf(x.layout, axis, axis + 1);
  const lines = [out, { storage: x.storage, layout: withoutAxis(x.layout, axis) }, ...perLine];
  forEachFolded(
    lines.map((view) => view.layout),
    2,
    ([target, source, ...rest]) => {
      device.dispatch(
        kernel,
        { storage: out.storage, layout: target as Layout },
        [
          { storage: x.storage, layout: append(source as Layout, line) },
          ...perLine.map(({ storage }, i) => ({ storage, layout: rest[i] as Layout })),
        ],
        scalars,
      );
    },
  );
}

/** Calls `visit` with the lines of `out` and `x` along `axis` as rows: the last of three axes. */
export function forEachRows(
  out: StorageView,
  x: StorageView,
  axis: number,
  visit: (out: StorageView, x: StorageView) => void,
): void {
  const [to, from] = [axesOf(out.layout, axis, axis + 1), axesOf(x.layout, axis, axis + 1)];
  forEachFolded([withoutAxis(out.layout, axis), withoutAxis(x.layout, axis)], 2, ([target, source]) => {
    visit(
      { storage: out.storage, layout: append(target as Layout, to) },
      { storage: x.storage, layout: append(source as Layout, from) },
    );
  });
}
