import type { StorageView } from '../device.ts';
import { defineKernel, type Kernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { dispatchFolded, dispatchLines, forEachRows, repeatAlong } from './fold.ts';
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

const logarithms = defineKernel(function logSoftmax(
  this: KernelThis,
  a: KernelArray,
  max: KernelArray,
  sum: KernelArray,
): number {
  return (
    a[this.thread.z]![this.thread.y]![this.thread.x]! -
    max[this.thread.z]![this.thread.y]![this.thread.x]! -
    Math.log(sum[this.thread.z]![this.thread.y]![this.thread.x]!)
  );
}, 3);

/**
 * Computes lines of the last axis by what the device has for rows; false where it has nothing. Whatever the layout: a part of a
 * value may be laid out otherwise than the whole, and has the same bits.
 */
function byRows(x: Tensor, into: Tensor, axis: number): boolean {
  const softmax = into.device.tuned?.softmax;
  if (!softmax || axis < x.shape.length - 1) return false;
  forEachRows(into.view, x.view, axis, (out, rows) => softmax({ out, x: rows }));
  return true;
}

type SoftmaxOptions = ScratchOptions & { readonly axis: number };

const overLines =
  (op: string, apply: Kernel, tuned?: typeof byRows) =>
  (x: Tensor, { into, scratch, axis }: SoftmaxOptions): Tensor => {
    expectAxis(op, x, axis);
    expectElements(op, x, axis);
    expectShape(op, 'a result', into, x.shape);
    const length = x.shape[axis] as number;
    const [max, sum] = scratchOf(op, scratch, 2, x.shape.toSpliced(axis, 1)) as [StorageView, StorageView];
    if (tuned?.(x, into, axis)) return into;
    const source = x.view;
    const { device } = into;
    dispatchLines(device, lineMax, max, source, axis, [], [length]);
    dispatchLines(device, lineExpSum, sum, source, axis, [max], [length]);
    const along = ({ storage, layout }: StorageView): StorageView => ({
      storage,
      layout: repeatAlong(layout, axis, length),
    });
    dispatchFolded(device, apply, into.view, [source, along(max), along(sum)]);
    return into;
  };

/** Exponentials along `axis`, scaled to sum 1. Scratch: the maximum and the sum of every line. */
export const softmax = overLines('softmax', normalise, byRows);

/** Logarithms of {@link softmax}, without computing it. Scratch: the maximum and the sum of every line. */
export const logSoftmax = overLines('logSoftmax', logarithms);
