import type { Layout } from '../../layout/layout.ts';
import type { StorageView } from '../device.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { dispatchFolded, expanded } from './fold.ts';
import { expect, expectElements, expectShape, printShape, type ScratchOptions } from './options.ts';
import { atFirst } from './window.ts';

/*
 * Sums of channels, then of groups: every channel is a thread, and rounding grows with channels plus elements instead of
 * their product. The mean is an offset from the first element of the group, so that it grows with the spread, not with the
 * size. What a group adds up, and in which order, does not depend on the other groups.
 */

export const channelSums = defineKernel(
  function groupNormSums(
    this: KernelThis,
    a: KernelArray,
    perGroup: number,
    rows: number,
    columns: number,
  ): number {
    const start = Math.floor((this.thread.x + 0.5) / perGroup) * perGroup;
    const first = a[start]![0]![0]!;
    let total = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        total += a[this.thread.x]![i]![j]! - first;
      }
    }
    return total;
  },
  1,
  ['Integer', 'Integer', 'Integer'],
);

export const groupMean = defineKernel(
  function groupNormMean(
    this: KernelThis,
    a: KernelArray,
    sums: KernelArray,
    perGroup: number,
    length: number,
  ): number {
    let total = 0;
    for (let i = 0; i < perGroup; i++) {
      total += sums[0]![0]![this.thread.x * perGroup + i]!;
    }
    return a[this.thread.x * perGroup]![0]![0]! + total / length;
  },
  2,
  ['Integer', 'Number'],
);

export const channelSquares = defineKernel(
  function groupNormSquares(
    this: KernelThis,
    a: KernelArray,
    mean: KernelArray,
    perGroup: number,
    rows: number,
    columns: number,
  ): number {
    const centre = mean[0]![0]![Math.floor((this.thread.x + 0.5) / perGroup)]!;
    let total = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const off = a[this.thread.x]![i]![j]! - centre;
        total += off * off;
      }
    }
    return total;
  },
  2,
  ['Integer', 'Integer', 'Integer'],
);

const groupSquares = defineKernel(
  function groupNormGroupSquares(this: KernelThis, squares: KernelArray, perGroup: number): number {
    let total = 0;
    for (let i = 0; i < perGroup; i++) {
      total += squares[0]![0]![this.thread.x * perGroup + i]!;
    }
    return total;
  },
  1,
  ['Integer'],
);

/** Apart from the sum before it, so that the sum is rounded as it is where the moments of a group are kept. */
const groupScale = defineKernel(
  function groupNormScale(this: KernelThis, squares: KernelArray, length: number, epsilon: number): number {
    return 1 / Math.sqrt(squares[this.thread.z]![this.thread.y]![this.thread.x]! / length + epsilon);
  },
  1,
  ['Number', 'Number'],
);

const apply = defineKernel(function groupNorm(
  this: KernelThis,
  a: KernelArray,
  mean: KernelArray,
  scale: KernelArray,
  weight: KernelArray,
  bias: KernelArray,
): number {
  const centred =
    a[this.thread.z]![this.thread.y]![this.thread.x]! - mean[this.thread.z]![this.thread.y]![this.thread.x]!;
  const normal = centred * scale[this.thread.z]![this.thread.y]![this.thread.x]!;
  return (
    normal * weight[this.thread.z]![this.thread.y]![this.thread.x]! +
    bias[this.thread.z]![this.thread.y]![this.thread.x]!
  );
}, 5);

/**
 * Groups of `channelsPerGroup` channels of x [n, c, …] shifted to mean 0 and scaled to variance 1, then weight and bias of
 * every channel. Scratch: sum of every channel [n, c], mean and 1/deviation of every group [n, c / channelsPerGroup].
 */
export function groupNorm(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  {
    into,
    scratch,
    channelsPerGroup,
    epsilon = 1e-5,
  }: ScratchOptions & { readonly channelsPerGroup: number; readonly epsilon?: number },
): Tensor {
  const op = 'groupNorm';
  const { batch, channels, groups, rows, columns, length } = expectGroups(op, x, channelsPerGroup);
  for (const parameter of [weight, bias]) expectShape(op, 'a parameter', parameter, [channels]);
  expectShape(op, 'a result', into, x.shape);
  expect(scratch.length === 3, op, () => `expected 3 scratch tensors, got ${scratch.length}`);
  const [sums, mean, scale] = scratch.map((tensor, i) => {
    expectShape(op, 'scratch', tensor, [batch, i === 0 ? channels : groups]);
    return tensor.view;
  }) as [StorageView, StorageView, StorageView];
  const { device } = into;
  for (let n = 0; n < batch; n++) {
    const one = ({ storage, layout }: StorageView): StorageView => ({ storage, layout: atFirst(layout, n) });
    const image = imageOf(x.view, n);
    device.dispatch(channelSums, one(sums), [image], [channelsPerGroup, rows, columns]);
    device.dispatch(groupMean, one(mean), [image, one(sums)], [channelsPerGroup, length]);
    device.dispatch(channelSquares, one(sums), [image, one(mean)], [channelsPerGroup, rows, columns]);
    device.dispatch(groupSquares, one(scale), [one(sums)], [channelsPerGroup]);
    device.dispatch(groupScale, one(scale), [one(scale)], [length, epsilon]);
  }
  applyGroups(into, x.view, mean, scale, weight, bias, channelsPerGroup);
  return into;
}

/** Checks that x is [n, c, …] in whole groups of channels, and says how many of everything there are. */
export function expectGroups(op: string, x: Tensor, channelsPerGroup: number) {
  const [batch, channels, ...inner] = x.shape as readonly [number, number, ...number[]];
  expect(
    x.shape.length >= 2 && x.shape.length <= 4 && channels % channelsPerGroup === 0,
    op,
    () =>
      `expected [batch, channels, …] in groups of ${channelsPerGroup} channels, got ${printShape(x.shape)}`,
  );
  x.shape.forEach((_, axis) => void expectElements(op, x, axis));
  const [rows, columns] = inner.length === 2 ? (inner as [number, number]) : [1, inner[0] ?? 1];
  const groups = channels / channelsPerGroup;
  return { batch, channels, groups, rows, columns, length: channelsPerGroup * rows * columns };
}

/** One image of a batch, [channels, rows, columns]. */
export const imageOf = ({ storage, layout }: StorageView, n: number): StorageView => ({
  storage,
  layout: threeAxes(atFirst(layout, n)),
});

/** Shifts and scales groups of channels by [n, groups], then multiplies by weight and adds bias, both by channel. */
export function applyGroups(
  into: Tensor,
  source: StorageView,
  mean: StorageView,
  scale: StorageView,
  weight: Tensor,
  bias: Tensor,
  channelsPerGroup: number,
): void {
  const [batch, channels, ...inner] = into.shape as readonly [number, number, ...number[]];
  const shape = [batch, channels / channelsPerGroup, channelsPerGroup, ...inner];
  const ofGroup = ({ storage, layout }: StorageView): StorageView => ({
    storage,
    layout: expanded(trailingOnes(layout, inner.length + 1), shape),
  });
  const ofChannel = ({ storage, layout }: StorageView): StorageView => ({
    storage,
    layout: expanded(trailingOnes(splitAxis(layout, 0, channelsPerGroup), inner.length), shape),
  });
  const grouped = ({ storage, layout }: StorageView): StorageView => ({
    storage,
    layout: splitAxis(layout, 1, channelsPerGroup),
  });
  dispatchFolded(into.device, apply, grouped(into.view), [
    grouped(source),
    ofGroup(mean),
    ofGroup(scale),
    ofChannel(weight.view),
    ofChannel(bias.view),
  ]);
}

/** [channels, rows, columns], where rows may have to be added. */
const threeAxes = ({ shape, strides, offset }: Layout): Layout => {
  const missing = 3 - shape.length;
  return {
    shape: [shape[0] as number, ...new Array<number>(missing).fill(1), ...shape.slice(1)],
    strides: [strides[0] as number, ...new Array<number>(missing).fill(0), ...strides.slice(1)],
    offset,
  };
};

const trailingOnes = ({ shape, strides, offset }: Layout, count: number): Layout => ({
  shape: [...shape, ...new Array<number>(count).fill(1)],
  strides: [...strides, ...new Array<number>(count).fill(0)],
  offset,
});

/** One axis as two: `extent / inner` and `inner`. */
const splitAxis = ({ shape, strides, offset }: Layout, axis: number, inner: number): Layout => {
  const [extent, stride] = [shape[axis] as number, strides[axis] as number];
  return {
    shape: shape.toSpliced(axis, 1, extent / inner, inner),
    strides: strides.toSpliced(axis, 1, stride * inner, stride),
    offset,
  };
};
