import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kernel } from '../../src/runtime/kernel.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../../src/runtime/kernel.ts';
import { WebasmDevice } from '../../src/runtime/webasm/device.ts';

/* The elementary functions of the webasm backend against JavaScript's, which are float64. */

const FUNCTIONS: { name: string; kernel: Kernel; exact: (x: number) => number }[] = [
  {
    name: 'exp',
    kernel: defineKernel(function exp(this: KernelThis, a: KernelArray): number {
      return Math.exp(a[this.thread.z]![this.thread.y]![this.thread.x]!);
    }, 1),
    exact: Math.exp,
  },
  {
    name: 'log',
    kernel: defineKernel(function log(this: KernelThis, a: KernelArray): number {
      return Math.log(a[this.thread.z]![this.thread.y]![this.thread.x]!);
    }, 1),
    exact: Math.log,
  },
  {
    name: 'tanh',
    kernel: defineKernel(function tanh(this: KernelThis, a: KernelArray): number {
      return Math.tanh(a[this.thread.z]![this.thread.y]![this.thread.x]!);
    }, 1),
    exact: Math.tanh,
  },
];

/** Of all 2^32 bit patterns, one in this many. */
const STEP = 4099;
const SPECIAL = [
  0,
  -0,
  1,
  -1,
  1e-45,
  -1e-45,
  1.1754943508222875e-38,
  1.1754942106924411e-38,
  3.4028234663852886e38,
  -3.4028234663852886e38,
  88.72283,
  88.72284,
  -87.33654,
  -103.97207,
  -103.97208,
  -104,
  -200,
  0.625,
  0.62499994,
  0.7,
  0.71,
  0.99999994,
  1.0000001,
  1.41,
  1.42,
  Infinity,
  -Infinity,
  NaN,
];

function sample(): Float32Array {
  const bits = new Uint32Array(Math.floor(2 ** 32 / STEP) + SPECIAL.length);
  for (let i = 0; i < bits.length; i++) bits[i] = i * STEP;
  const values = new Float32Array(bits.buffer);
  values.set(SPECIAL, bits.length - SPECIAL.length);
  return values;
}

/** Distance between neighbouring floats at a number. */
function ulp(value: number): number {
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(value) || 1e-45)));
  return 2 ** (exponent - 23);
}

const LARGEST = 3.4028234663852886e38;
const SMALLEST_NORMAL = 2 ** -126;

describe('elementary functions on webasm', () => {
  let device: WebasmDevice;
  beforeAll(() => {
    device = new WebasmDevice();
  });
  afterAll(() => device.destroy());

  it.each(FUNCTIONS)('$name is within 2 ulp of float64 over all floats', async ({ kernel, exact }) => {
    const values = sample();
    const x = device.upload(values, [values.length]);
    const y = device.alloc([values.length]);
    device.dispatch(kernel, y.view, [x.view], []);
    const got = await device.read(y);
    const wrong: string[] = [];
    values.forEach((value, i) => {
      const [actual, wanted] = [got[i] as number, exact(value)];
      const rounded = Math.fround(wanted);
      const right =
        Object.is(actual, rounded) ||
        (Math.abs(actual - wanted) <= 2 * ulp(wanted) && Math.abs(wanted) <= LARGEST) ||
        // Too small for a normal number: 0, as on GPUs.
        (exact === Math.exp && wanted < SMALLEST_NORMAL && actual === 0);
      if (!right) wrong.push(`f(${value}) = ${actual}, not ${rounded}`);
    });
    expect(wrong.slice(0, 10)).toEqual([]);
    x.free();
    y.free();
  });

  it.each(FUNCTIONS)('$name of one element has the bits it has among others', async ({ kernel }) => {
    const values = Float32Array.from({ length: 1024 }, (_, i) => SPECIAL[i] ?? Math.tan(i) * 20);
    const x = device.upload(values, [1024]);
    const together = device.alloc([1024]);
    // One element a row: four lanes never fit.
    const alone = device.alloc([1024, 1]);
    device.dispatch(kernel, together.view, [x.view], []);
    device.dispatch(kernel, alone.view, [x.reshape([1024, 1]).view], []);
    const [a, b] = [await device.read(together), await device.read(alone)];
    expect(new Uint32Array(b.buffer)).toEqual(new Uint32Array(a.buffer));
    for (const tensor of [x, together, alone]) tensor.free();
  });
});
