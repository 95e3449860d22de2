import { defineKernel, type KernelArray, type KernelFunction, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import type { KernelOptions } from './options.ts';
import { definePart } from './part.ts';

/** An op of one tensor, element by element. */
export type Unary = (x: Tensor, options: KernelOptions) => Tensor;

export function unary(op: string, source: KernelFunction): Unary {
  const kernel = defineKernel(source, 1, [], op);
  const run = definePart(op, () => ({ kernel, scalars: [] }));
  return (x, options) => run([x], options);
}

/** -x. */
export const neg = unary('neg', function (this: KernelThis, a: KernelArray): number {
  return -a[this.thread.z]![this.thread.y]![this.thread.x]!;
});

/** |x|. */
export const abs = unary('abs', function (this: KernelThis, a: KernelArray): number {
  return Math.abs(a[this.thread.z]![this.thread.y]![this.thread.x]!);
});

/** max(x, 0). */
export const relu = unary('relu', function (this: KernelThis, a: KernelArray): number {
  return Math.max(a[this.thread.z]![this.thread.y]![this.thread.x]!, 0);
});

/** √x. */
export const sqrt = unary('sqrt', function (this: KernelThis, a: KernelArray): number {
  return Math.sqrt(a[this.thread.z]![this.thread.y]![this.thread.x]!);
});

/** 1 / √x. */
export const rsqrt = unary('rsqrt', function (this: KernelThis, a: KernelArray): number {
  return 1 / Math.sqrt(a[this.thread.z]![this.thread.y]![this.thread.x]!);
});

/** eˣ. */
export const exp = unary('exp', function (this: KernelThis, a: KernelArray): number {
  return Math.exp(a[this.thread.z]![this.thread.y]![this.thread.x]!);
});

/** Natural logarithm. */
export const log = unary('log', function (this: KernelThis, a: KernelArray): number {
  return Math.log(a[this.thread.z]![this.thread.y]![this.thread.x]!);
});

/** 1 / x. */
export const reciprocal = unary('reciprocal', function (this: KernelThis, a: KernelArray): number {
  return 1 / a[this.thread.z]![this.thread.y]![this.thread.x]!;
});

/** Hyperbolic tangent. */
export const tanh = unary('tanh', function (this: KernelThis, a: KernelArray): number {
  // Some devices return NaN for large arguments; the result is ±1 in float32 from 10 on.
  return Math.tanh(Math.max(-15, Math.min(15, a[this.thread.z]![this.thread.y]![this.thread.x]!)));
});

/** 1 / (1 + e⁻ˣ). */
export const sigmoid = unary('sigmoid', function (this: KernelThis, a: KernelArray): number {
  const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
  // Only ever e to a negative power: nothing overflows.
  const e = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
});

/** x · sigmoid(x). */
export const silu = unary('silu', function (this: KernelThis, a: KernelArray): number {
  const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
  const e = Math.exp(-Math.abs(x));
  return (x * (x >= 0 ? 1 : e)) / (1 + e);
});

/** The same elements in another storage. */
export const copy = unary('copy', function (this: KernelThis, a: KernelArray): number {
  return a[this.thread.z]![this.thread.y]![this.thread.x]!;
});
