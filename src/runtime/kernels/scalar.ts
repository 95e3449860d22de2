import { defineKernel, type KernelArray, type KernelFunction, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import type { KernelOptions } from './options.ts';
import { definePart, type Part, partOf } from './part.ts';

/** An op of a tensor with the number `value`, element by element. */
export type Scalar = (x: Tensor, options: KernelOptions & { readonly value: number }) => Tensor;

function scalar(op: string, source: KernelFunction): Scalar {
  const kernel = defineKernel(source, 1, ['Number'], op);
  const run = definePart<{ readonly value: number }>(op, ({ value }) => ({ kernel, scalars: [value] }));
  return (x, options) => run([x], options);
}

/** x + value. */
export const addScalar = scalar(
  'addScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! + value;
  },
);

/** x · value. */
export const mulScalar = scalar(
  'mulScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! * value;
  },
);

/** x / value. */
export const divScalar = scalar(
  'divScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! / value;
  },
);

/** max(x, value). */
export const maximumScalar = scalar(
  'maximumScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return Math.max(a[this.thread.z]![this.thread.y]![this.thread.x]!, value);
  },
);

/** min(x, value). */
export const minimumScalar = scalar(
  'minimumScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return Math.min(a[this.thread.z]![this.thread.y]![this.thread.x]!, value);
  },
);

const between = defineKernel(
  function clamp(this: KernelThis, a: KernelArray, min: number, max: number): number {
    return Math.min(Math.max(a[this.thread.z]![this.thread.y]![this.thread.x]!, min), max);
  },
  1,
  ['Number', 'Number'],
);

interface Range {
  readonly min: number;
  readonly max: number;
}

const runClamp = definePart<Range>('clamp', ({ min, max }) => ({ kernel: between, scalars: [min, max] }));

/** min(max(x, min), max). */
export const clamp = (x: Tensor, options: KernelOptions & Range): Tensor => runClamp([x], options);

const leaky = defineKernel(
  function leakyRelu(this: KernelThis, a: KernelArray, slope: number): number {
    const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
    return x >= 0 ? x : x * slope;
  },
  1,
  ['Number'],
);

interface Slope {
  readonly slope?: number;
}

const runLeakyRelu = definePart<Slope>('leakyRelu', ({ slope = 0.01 }) => ({
  kernel: leaky,
  scalars: [slope],
}));

/** x where it is positive, else x · slope. */
export const leakyRelu = (x: Tensor, options: KernelOptions & Slope): Tensor => runLeakyRelu([x], options);

/** value - x. */
export const rsubScalar = scalar(
  'rsubScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return value - a[this.thread.z]![this.thread.y]![this.thread.x]!;
  },
);

/** value / x. */
export const rdivScalar = scalar(
  'rdivScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return value / a[this.thread.z]![this.thread.y]![this.thread.x]!;
  },
);

/** 1 where x = value, else 0. */
export const equalScalar = scalar(
  'equalScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! === value ? 1 : 0;
  },
);

/** 1 where x < value, else 0. */
export const lessScalar = scalar(
  'lessScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! < value ? 1 : 0;
  },
);

/** 1 where x ≤ value, else 0. */
export const lessEqualScalar = scalar(
  'lessEqualScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! <= value ? 1 : 0;
  },
);

/** 1 where x > value, else 0. */
export const greaterScalar = scalar(
  'greaterScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! > value ? 1 : 0;
  },
);

/** 1 where x ≥ value, else 0. */
export const greaterEqualScalar = scalar(
  'greaterEqualScalar',
  function (this: KernelThis, a: KernelArray, value: number): number {
    return a[this.thread.z]![this.thread.y]![this.thread.x]! >= value ? 1 : 0;
  },
);

/** Exponents up to this size are repeated multiplications: exact where the power is. */
const SMALL_EXPONENT = 16;

const powInteger = defineKernel(
  function powInteger(this: KernelThis, a: KernelArray, exponent: number): number {
    const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
    let power = x;
    for (let i = 1; i < exponent; i++) {
      power *= x;
    }
    return power;
  },
  1,
  ['Integer'],
);

const powNegativeInteger = defineKernel(
  function powNegativeInteger(this: KernelThis, a: KernelArray, exponent: number): number {
    const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
    let power = x;
    for (let i = 1; i < exponent; i++) {
      power *= x;
    }
    return 1 / power;
  },
  1,
  ['Integer'],
);

const powReal = defineKernel(
  function powScalar(this: KernelThis, a: KernelArray, y: number): number {
    const x = a[this.thread.z]![this.thread.y]![this.thread.x]!;
    // Devices define powers of positive bases only: sign, zero and exponent 0 are handled here.
    const magnitude = (x === 0 ? 1 : Math.abs(x)) ** y;
    const odd = y - 2 * Math.floor(y / 2);
    const zero = y > 0 ? 0 : 1 / Math.abs(x);
    const negative = y === Math.floor(y) ? (odd > 0.5 ? -magnitude : magnitude) : Math.sqrt(x);
    return y === 0 ? 1 : x === 0 ? zero : x > 0 ? magnitude : negative;
  },
  1,
  ['Number'],
);

const runPow = definePart<{ readonly value: number }>('powScalar', ({ value }) => {
  if (value === 0.5) return partOf('sqrt', {}) as Part;
  if (value === -0.5) return partOf('rsqrt', {}) as Part;
  const size = Math.abs(value);
  if (!Number.isInteger(value) || size > SMALL_EXPONENT || size === 0)
    return { kernel: powReal, scalars: [value] };
  return { kernel: value > 0 ? powInteger : powNegativeInteger, scalars: [size] };
});

/** x to the power `value`; negative x takes integer powers. */
export const powScalar: Scalar = (x, options) => runPow([x], options);
