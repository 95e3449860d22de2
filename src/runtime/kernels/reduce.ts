import { defineKernel, type Kernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { dispatchLines, withoutAxis } from './fold.ts';
import { expectAxis, expectElements, expectShape, type KernelOptions } from './options.ts';

/** An op that makes one element of every line along `axis`. */
export type Reduction = (
  x: Tensor,
  options: KernelOptions & { readonly axis: number; readonly keepdims?: boolean },
) => Tensor;

function reduction(op: string, kernel: Kernel): Reduction {
  return (x, { into, axis, keepdims = false }) => {
    expectAxis(op, x, axis);
    expectElements(op, x, axis);
    const length = x.shape[axis] as number;
    const shape = keepdims ? x.shape.with(axis, 1) : x.shape.toSpliced(axis, 1);
    expectShape(op, 'a result', into, shape);
    const out = into.view;
    const lines = keepdims ? { storage: out.storage, layout: withoutAxis(out.layout, axis) } : out;
    dispatchLines(into.device, kernel, lines, x.view, axis, [], [length]);
    return into;
  };
}

/** Sum along an axis. */
export const sum = reduction(
  'sum',
  defineKernel(
    function sum(this: KernelThis, a: KernelArray, length: number): number {
      let total = 0;
      for (let i = 0; i < length; i++) {
        total += a[this.thread.y]![this.thread.x]![i]!;
      }
      return total;
    },
    1,
    ['Integer'],
  ),
);

const lineMean = defineKernel(
  function mean(this: KernelThis, a: KernelArray, length: number): number {
    let total = 0;
    for (let i = 0; i < length; i++) {
      total += a[this.thread.y]![this.thread.x]![i]!;
    }
    return total / length;
  },
  1,
  ['Integer'],
);

/** Arithmetic mean along an axis. */
export const mean = reduction('mean', lineMean);

export const lineMax = defineKernel(
  function amax(this: KernelThis, a: KernelArray, length: number): number {
    let best = a[this.thread.y]![this.thread.x]![0]!;
    for (let i = 1; i < length; i++) {
      best = Math.max(best, a[this.thread.y]![this.thread.x]![i]!);
    }
    return best;
  },
  1,
  ['Integer'],
);

/** Largest element along an axis. */
export const amax = reduction('amax', lineMax);

/** Smallest element along an axis. */
export const amin = reduction(
  'amin',
  defineKernel(
    function amin(this: KernelThis, a: KernelArray, length: number): number {
      let best = a[this.thread.y]![this.thread.x]![0]!;
      for (let i = 1; i < length; i++) {
        best = Math.min(best, a[this.thread.y]![this.thread.x]![i]!);
      }
      return best;
    },
    1,
    ['Integer'],
  ),
);
