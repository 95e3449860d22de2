import type { StorageView } from '../device.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { dispatchFolded, dispatchLines, repeatAlong } from './fold.ts';
import { expectAxis, expectElements, expectShape, type ScratchOptions, scratchOf } from './options.ts';
import { lineMax } from './reduce.ts';

const lineExpSum = defineKernel(
  function expSum(this: KernelThis, a: KernelArray, max: KernelArray, length: number): number {
    const top = max[0]![this.thread.y]![this.thread.x]!;
    let total = 0;
    for (let i = 0; i < length; i++) {
      total += Math.exp(a[this.thread.y]![this.thread.x]![i]! - top);
    }
    return total;
  },
  2,
  ['Integer'],
);

const normalise = defineKernel(function softmax(
  this: KernelThis,
  a: KernelArray,
  max: KernelArray,
  sum: KernelArray,
): number {
  return (
    Math.exp(
      a[this.thread.z]![this.thread.y]![this.thread.x]! - max[this.thread.z]![this.thread.y]![this.thread.x]!,
    ) / sum[this.thread.z]![this.thread.y]![this.thread.x]!
  );
}, 3);

/** Exponentials along `axis`, scaled to sum 1. Scratch: the maximum and the sum of every line. */
export function softmax(
  x: Tensor,
  { into, scratch, axis }: ScratchOptions & { readonly axis: number },
): Tensor {
  expectAxis('softmax', x, axis);
  expectElements('softmax', x, axis);
  expectShape('softmax', 'a result', into, x.shape);
  const length = x.shape[axis] as number;
  const [max, sum] = scratchOf('softmax', scratch, 2, x.shape.toSpliced(axis, 1)) as [
    StorageView,
    StorageView,
  ];
  const source = x.view;
  const { device } = into;
  dispatchLines(device, lineMax, max, source, axis, [], [length]);
  dispatchLines(device, lineExpSum, sum, source, axis, [max], [length]);
  const along = ({ storage, layout }: StorageView): StorageView => ({
    storage,
    layout: repeatAlong(layout, axis, length),
  });
  dispatchFolded(device, normalise, into.view, [source, along(max), along(sum)]);
  return into;
}
