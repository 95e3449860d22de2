import { defineKernel, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { dispatchFolded } from './fold.ts';
import { expectShape, type KernelOptions } from './options.ts';

const count = defineKernel(
  function iota(this: KernelThis, start: number, step: number): number {
    return (start + this.thread.x) * step;
  },
  0,
  ['Number', 'Number'],
);

/** Element i is (start + i) · step. */
export function iota({
  into,
  length,
  start = 0,
  step = 1,
}: KernelOptions & { readonly length: number; readonly start?: number; readonly step?: number }): Tensor {
  expectShape('iota', 'a result', into, [length]);
  into.device.dispatch(count, into.view, [], [start, step]);
  return into;
}

const fill = defineKernel(
  function full(this: KernelThis, value: number): number {
    return value;
  },
  0,
  ['Number'],
);

/** The same number everywhere. */
export function full({
  into,
  shape,
  value,
}: KernelOptions & { readonly shape: readonly number[]; readonly value: number }): Tensor {
  expectShape('full', 'a result', into, shape);
  dispatchFolded(into.device, fill, into.view, [], [value]);
  return into;
}

/** The given numbers, row-major. */
export function constant({
  into,
  shape,
  values,
}: KernelOptions & { readonly shape: readonly number[]; readonly values: readonly number[] }): Tensor {
  expectShape('constant', 'a result', into, shape);
  into.device.write(into, values);
  return into;
}
