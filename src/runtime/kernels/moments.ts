import type { Layout } from '../../layout/layout.ts';
import type { StorageView } from '../device.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { append, axesOf, forEachFolded, withoutAxis } from './fold.ts';
import { applyGroups, channelSquares, channelSums, expectGroups, groupMean, imageOf } from './group-norm.ts';
import { expect, expectShape, type KernelOptions, printShape, type ScratchOptions } from './options.ts';
import { atFirst } from './window.ts';

/** Moments lie along the last axis: how many elements, their mean, the sum of squared distances from it. */
export const MOMENTS = 3;

const gather = defineKernel(
  function groupMoments(
    this: KernelThis,
    mean: KernelArray,
    squares: KernelArray,
    perGroup: number,
    length: number,
  ): number {
    let total = 0;
    for (let i = 0; i < perGroup; i++) {
      total += squares[0]![0]![this.thread.y * perGroup + i]!;
    }
    return this.thread.x < 0.5 ? length : this.thread.x < 1.5 ? mean[0]![0]![this.thread.y]! : total;
  },
  2,
  ['Integer', 'Number'],
);

type GroupOptions = ScratchOptions & { readonly channelsPerGroup: number };

/** Moments [n, c / channelsPerGroup, 3] of groups of channels of x [n, c, …]. Scratch: sums [n, c], means of groups. */
export function groupMoments(x: Tensor, { into, scratch, channelsPerGroup }: GroupOptions): Tensor {
  const op = 'groupMoments';
  const { batch, channels, groups, rows, columns, length } = expectGroups(op, x, channelsPerGroup);
  expectShape(op, 'a result', into, [batch, groups, MOMENTS]);
  expect(scratch.length === 2, op, () => `expected 2 scratch tensors, got ${scratch.length}`);
  const [sums, mean] = scratch.map((tensor, i) => {
    expectShape(op, 'scratch', tensor, [batch, i === 0 ? channels : groups]);
    return tensor.view;
  }) as [StorageView, StorageView];
  const { device } = into;
  for (let n = 0; n < batch; n++) {
    const one = ({ storage, layout }: StorageView): StorageView => ({ storage, layout: atFirst(layout, n) });
    const image = imageOf(x.view, n);
    device.dispatch(channelSums, one(sums), [image], [channelsPerGroup, rows, columns]);
    device.dispatch(groupMean, one(mean), [image, one(sums)], [channelsPerGroup, length]);
    device.dispatch(channelSquares, one(sums), [image, one(mean)], [channelsPerGroup, rows, columns]);
    device.dispatch(gather, one(into.view), [one(mean), one(sums)], [channelsPerGroup, length]);
  }
  return into;
}

/** Chan, Golub & LeVeque 1979. Every thread makes one of the three moments of a row. */
const merge = defineKernel(function mergeMoments(this: KernelThis, a: KernelArray, b: KernelArray): number {
  const n = a[this.thread.z]![this.thread.y]![0]!;
  const m = b[this.thread.z]![this.thread.y]![0]!;
  const mean = a[this.thread.z]![this.thread.y]![1]!;
  const apart = b[this.thread.z]![this.thread.y]![1]! - mean;
  const squares = a[this.thread.z]![this.thread.y]![2]! + b[this.thread.z]![this.thread.y]![2]!;
  const share = m / Math.max(n + m, 1);
  return this.thread.x < 0.5
    ? n + m
    : this.thread.x < 1.5
      ? mean + apart * share
      : squares + apart * apart * n * share;
}, 2);

/** The moments [..., 3] of two sets of elements together, from those of each. */
export function mergeMoments(a: Tensor, b: Tensor, { into }: KernelOptions): Tensor {
  const op = 'mergeMoments';
  const axis = a.shape.length - 1;
  expect(
    a.shape[axis] === MOMENTS,
    op,
    () => `expected moments [..., ${MOMENTS}], got ${printShape(a.shape)}`,
  );
  expectShape(op, 'moments', b, a.shape);
  expectShape(op, 'a result', into, a.shape);
  const [out, ...sources] = [into.view, a.view, b.view] as [StorageView, ...StorageView[]];
  const rows = [out, ...sources].map(({ layout }) => withoutAxis(layout, axis));
  const whole = ({ storage, layout }: StorageView, folded: Layout | undefined): StorageView => ({
    storage,
    layout: append(folded as Layout, axesOf(layout, axis, axis + 1)),
  });
  forEachFolded(rows, 2, ([target, ...folded]) => {
    into.device.dispatch(
      merge,
      whole(out, target),
      sources.map((source, i) => whole(source, folded[i])),
      [],
    );
  });
  return into;
}

export const scaleOfMoments = defineKernel(
  function groupScaleOfMoments(this: KernelThis, moments: KernelArray, epsilon: number): number {
    return (
      1 /
      Math.sqrt(
        moments[this.thread.y]![this.thread.x]![2]! / moments[this.thread.y]![this.thread.x]![0]! + epsilon,
      )
    );
  },
  1,
  ['Number'],
);

/** Groups of channels of x shifted and scaled by their moments, then weight and bias. Scratch: 1/deviation of groups. */
export function groupNormalise(
  x: Tensor,
  moments: Tensor,
  weight: Tensor,
  bias: Tensor,
  { into, scratch, channelsPerGroup, epsilon = 1e-5 }: GroupOptions & { readonly epsilon?: number },
): Tensor {
  const op = 'groupNormalise';
  const { batch, channels, groups } = expectGroups(op, x, channelsPerGroup);
  expectShape(op, 'moments', moments, [batch, groups, MOMENTS]);
  for (const parameter of [weight, bias]) expectShape(op, 'a parameter', parameter, [channels]);
  expectShape(op, 'a result', into, x.shape);
  expect(scratch.length === 1, op, () => `expected 1 scratch tensor, got ${scratch.length}`);
  const [scale] = scratch as [Tensor];
  expectShape(op, 'scratch', scale, [batch, groups]);
  into.device.dispatch(scaleOfMoments, scale.view, [moments.view], [epsilon]);
  const { storage, layout } = moments.slice(2, 1, 2).view;
  applyGroups(
    into,
    x.view,
    { storage, layout: withoutAxis(layout, 2) },
    scale.view,
    weight,
    bias,
    channelsPerGroup,
  );
  return into;
}
