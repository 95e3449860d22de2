import { defineKernel, type KernelArray, type KernelFunction, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import type { KernelOptions } from './options.ts';
import { definePart } from './part.ts';

/** An op of two tensors, element by element after numpy broadcasting. */
export type Binary = (a: Tensor, b: Tensor, options: KernelOptions) => Tensor;

function binary(op: string, source: KernelFunction): Binary {
  const kernel = defineKernel(source, 2, [], op);
  const run = definePart(op, () => ({ kernel, scalars: [] }));
  return (a, b, options) => run([a, b], options);
}

/** a + b. */
export const add = binary('add', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  return (
    a[this.thread.z]![this.thread.y]![this.thread.x]! + b[this.thread.z]![this.thread.y]![this.thread.x]!
  );
});

/** a - b. */
export const sub = binary('sub', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  return (
    a[this.thread.z]![this.thread.y]![this.thread.x]! - b[this.thread.z]![this.thread.y]![this.thread.x]!
  );
});

/** a · b. */
export const mul = binary('mul', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  return (
    a[this.thread.z]![this.thread.y]![this.thread.x]! * b[this.thread.z]![this.thread.y]![this.thread.x]!
  );
});

/** a / b. */
export const div = binary('div', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  return (
    a[this.thread.z]![this.thread.y]![this.thread.x]! / b[this.thread.z]![this.thread.y]![this.thread.x]!
  );
});

/** e to the power a - b. */
export const expSub = binary('expSub', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  return Math.exp(
    a[this.thread.z]![this.thread.y]![this.thread.x]! - b[this.thread.z]![this.thread.y]![this.thread.x]!,
  );
});

/** max(a, b). */
export const maximum = binary('maximum', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  return Math.max(
    a[this.thread.z]![this.thread.y]![this.thread.x]!,
    b[this.thread.z]![this.thread.y]![this.thread.x]!,
  );
});

/** min(a, b). */
export const minimum = binary('minimum', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  return Math.min(
    a[this.thread.z]![this.thread.y]![this.thread.x]!,
    b[this.thread.z]![this.thread.y]![this.thread.x]!,
  );
});

/** 1 where a = b, else 0. */
export const equal = binary('equal', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  return a[this.thread.z]![this.thread.y]![this.thread.x]! ===
    b[this.thread.z]![this.thread.y]![this.thread.x]!
    ? 1
    : 0;
});

/** 1 where a < b, else 0. */
export const less = binary('less', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  return a[this.thread.z]![this.thread.y]![this.thread.x]! < b[this.thread.z]![this.thread.y]![this.thread.x]!
    ? 1
    : 0;
});

/** 1 where a ≤ b, else 0. */
export const lessEqual = binary(
  'lessEqual',
  function (this: KernelThis, a: KernelArray, b: KernelArray): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! <=
      b[this.thread.z]![this.thread.y]![this.thread.x]!
      ? 1
      : 0;
  },
);

/** 1 where a > b, else 0. */
export const greater = binary('greater', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  return a[this.thread.z]![this.thread.y]![this.thread.x]! > b[this.thread.z]![this.thread.y]![this.thread.x]!
    ? 1
    : 0;
});

/** 1 where a ≥ b, else 0. */
export const greaterEqual = binary(
  'greaterEqual',
  function (this: KernelThis, a: KernelArray, b: KernelArray): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! >=
      b[this.thread.z]![this.thread.y]![this.thread.x]!
      ? 1
      : 0;
  },
);

/** aᵇ; negative bases take integer exponents. */
export const pow = binary('pow', function (this: KernelThis, a: KernelArray, b: KernelArray): number {
  const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
  const y = b[this.thread.z]![this.thread.y]![this.thread.x]!;
  // Devices define powers of positive bases only: sign, zero and exponent 0 are handled here.
  const magnitude = (x === 0 ? 1 : Math.abs(x)) ** y;
  const odd = y - 2 * Math.floor(y / 2);
  const zero = y > 0 ? 0 : 1 / Math.abs(x);
  const negative = y === Math.floor(y) ? (odd > 0.5 ? -magnitude : magnitude) : Math.sqrt(x);
  return y === 0 ? 1 : x === 0 ? zero : x > 0 ? magnitude : negative;
});

const choose = defineKernel(function where(
  this: KernelThis,
  condition: KernelArray,
  a: KernelArray,
  b: KernelArray,
): number {
  return condition[this.thread.z]![this.thread.y]![this.thread.x]! !== 0
    ? a[this.thread.z]![this.thread.y]![this.thread.x]!
    : b[this.thread.z]![this.thread.y]![this.thread.x]!;
}, 3);

const runWhere = definePart('where', () => ({ kernel: choose, scalars: [] }));

/** a where the condition is not 0, else b; all three broadcast. */
export const where = (condition: Tensor, a: Tensor, b: Tensor, options: KernelOptions): Tensor =>
  runWhere([condition, a, b], options);
