import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineKernel, type Kernel, type KernelArray, type KernelThis } from '../../src/runtime/kernel.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';
import { WebasmDevice } from '../../src/runtime/webasm/device.ts';
import { matmul } from './kernels.ts';

/* Threads of several rows and four columns, single rows, and single elements must all give the same bits. */

/** Several variables a row, a nested loop, a read shared outside of loops, reads that a condition guards. */
const nested = defineKernel(
  function nested(this: KernelThis, a: KernelArray, b: KernelArray, inner: number): number {
    let sum = 0;
    let largest = a[this.thread.z]![this.thread.y]![0]!;
    const first = b[this.thread.z]![0]![this.thread.x]!;
    for (let k = 0; k < inner; k++) {
      const left = a[this.thread.z]![this.thread.y]![k]!;
      largest = Math.max(largest, left * b[this.thread.z]![k]![this.thread.x]!);
      for (let j = 0; j < 2; j++) {
        sum += left * b[this.thread.z]![k]![this.thread.x]! - j;
      }
    }
    return sum > 0 ? sum * first + largest : largest - b[this.thread.z]![0]![this.thread.x]! * sum;
  },
  2,
  ['Integer'],
);

/** Rows of different lengths: not for tiles. */
const triangular = defineKernel(
  function triangular(this: KernelThis, a: KernelArray, b: KernelArray, inner: number): number {
    let sum = 0;
    for (let k = 0; k < inner && k <= this.thread.y; k++) {
      sum += a[this.thread.z]![this.thread.y]![k]! * b[this.thread.z]![k]![this.thread.x]!;
    }
    return sum;
  },
  2,
  ['Integer'],
);

/** A counter that does not stay an integer. */
const halves = defineKernel(
  function halves(this: KernelThis, a: KernelArray, b: KernelArray, inner: number): number {
    let sum = 0;
    for (let k = 0; k < inner; k += 0.5) {
      sum +=
        a[this.thread.z]![this.thread.y]![Math.floor(k)]! *
        b[this.thread.z]![Math.floor(k)]![this.thread.x]! *
        k;
    }
    return sum;
  },
  2,
  ['Integer'],
);

const KERNELS: readonly Kernel[] = [matmul, nested, triangular, halves];
const INNER = 5;
const bits = async (tensor: Tensor): Promise<number[]> => {
  const values = await tensor.device.read(tensor);
  return [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
};

describe.each(KERNELS)('$name in tiles', (kernel) => {
  let device: WebasmDevice;
  beforeAll(() => {
    device = new WebasmDevice();
  });
  afterAll(() => device.destroy());

  const noise = (length: number): Float32Array =>
    Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898));

  it.each([
    [1, 9],
    [3, 4],
    [7, 4],
    [8, 3],
    [8, 4],
    [9, 5],
    [16, 8],
    [23, 11],
  ])('gives %i × %i elements the bits that each has alone', async (rows, columns) => {
    const left = device.upload(noise(2 * rows * INNER), [2, rows, INNER]);
    for (const right of [
      device.upload(noise(2 * INNER * columns), [2, INNER, columns]),
      device.upload(noise(2 * INNER * columns), [2, columns, INNER]).permute([0, 2, 1]),
    ]) {
      const whole = device.alloc([2, rows, columns]);
      // Room behind every row must stay as it is.
      const framed = device.upload(new Float32Array(2 * rows * (columns + 3)).fill(-7), [
        2,
        rows,
        columns + 3,
      ]);
      const single = device.alloc([2, rows, columns]);
      const across = device.alloc([2, columns, rows]).permute([0, 2, 1]);
      const operands = [left.view, right.view];
      device.dispatch(kernel, whole.view, operands, [INNER]);
      device.dispatch(kernel, framed.slice(2, 0, columns).view, operands, [INNER]);
      device.dispatch(kernel, across.view, operands, [INNER]);
      if (kernel !== triangular) {
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) {
            device.dispatch(
              kernel,
              single.slice(1, row, row + 1).slice(2, column, column + 1).view,
              [left.slice(1, row, row + 1).view, right.slice(2, column, column + 1).view],
              [INNER],
            );
          }
        }
        expect(await bits(whole)).toEqual(await bits(single));
      }
      expect(await bits(whole)).toEqual(await bits(across));
      expect(await bits(framed.slice(2, 0, columns))).toEqual(await bits(whole));
      expect(new Set(await device.read(framed.slice(2, columns, columns + 3)))).toEqual(new Set([-7]));
      for (const tensor of [right, whole, framed, single, across]) tensor.free();
    }
    left.free();
  });
});
