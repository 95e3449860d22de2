import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import { LOWEST_F32 } from '../lowest.ts';
import type { Tensor } from '../tensor.ts';
import { expectShape, type KernelOptions } from './options.ts';
import { expectImage, expectPlaces, forEachPlane, type Padding, type Pair, sidesOf } from './window.ts';

/* One thread an output element: z batch and channel, y row, x column. Rows, then columns of the window, in this order. */

const largest = defineKernel(
  function maxPool2d(
    this: KernelThis,
    image: KernelArray,
    lowest: number,
    rows: number,
    columns: number,
    kernelRows: number,
    kernelColumns: number,
    strideRow: number,
    strideColumn: number,
    paddingRow: number,
    paddingColumn: number,
    dilationRow: number,
    dilationColumn: number,
  ): number {
    let best = lowest;
    for (let i = 0; i < kernelRows; i++) {
      const row = this.thread.y * strideRow + i * dilationRow - paddingRow;
      if (row >= 0 && row < rows) {
        for (let j = 0; j < kernelColumns; j++) {
          const column = this.thread.x * strideColumn + j * dilationColumn - paddingColumn;
          if (column >= 0 && column < columns) {
            best = Math.max(best, image[this.thread.z]![row]![column]!);
          }
        }
      }
    }
    return best;
  },
  1,
  ['Number', ...new Array<'Integer'>(10).fill('Integer')],
);

export interface PoolOptions extends KernelOptions {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding?: Padding;
}

/** Largest element under a window that slides over rows and columns of x [n, c, rows, columns]. */
export function maxPool2d(
  x: Tensor,
  { into, kernel, stride, padding = [0, 0], dilation = [1, 1] }: PoolOptions & { readonly dilation?: Pair },
): Tensor {
  const [, channels, rows, columns] = expectImage('maxPool2d', x);
  expectPlaces('maxPool2d', x, into, channels, kernel, { stride, padding, dilation });
  const [top, , left] = sidesOf(padding);
  const scalars = [LOWEST_F32, rows, columns, ...kernel, ...stride, top, left, ...dilation];
  forEachPlane(into.view, x.view, (out, image) => {
    into.device.dispatch(largest, out, [image], scalars);
  });
  return into;
}

const average = defineKernel(
  function avgPool2d(
    this: KernelThis,
    image: KernelArray,
    rows: number,
    columns: number,
    kernelRows: number,
    kernelColumns: number,
    strideRow: number,
    strideColumn: number,
    paddingRow: number,
    paddingColumn: number,
    countPadding: number,
  ): number {
    let sum = 0;
    let count = 0;
    for (let i = 0; i < kernelRows; i++) {
      const row = this.thread.y * strideRow + i - paddingRow;
      if (row >= 0 && row < rows) {
        for (let j = 0; j < kernelColumns; j++) {
          const column = this.thread.x * strideColumn + j - paddingColumn;
          if (column >= 0 && column < columns) {
            sum += image[this.thread.z]![row]![column]!;
            count += 1;
          }
        }
      }
    }
    return sum / (countPadding > 0 ? kernelRows * kernelColumns : count);
  },
  1,
  new Array<'Integer'>(9).fill('Integer'),
);

/**
 * Mean of the elements under a window that slides over rows and columns of x [n, c, rows, columns]. Padding counts as zeros,
 * or not at all with `countIncludePad: false`.
 */
export function avgPool2d(
  x: Tensor,
  {
    into,
    kernel,
    stride,
    padding = [0, 0],
    countIncludePad = true,
  }: PoolOptions & { readonly countIncludePad?: boolean },
): Tensor {
  const [, channels, rows, columns] = expectImage('avgPool2d', x);
  expectPlaces('avgPool2d', x, into, channels, kernel, { stride, padding });
  const [top, , left] = sidesOf(padding);
  const scalars = [rows, columns, ...kernel, ...stride, top, left, countIncludePad ? 1 : 0];
  forEachPlane(into.view, x.view, (out, image) => {
    into.device.dispatch(average, out, [image], scalars);
  });
  return into;
}

const repeat = defineKernel(
  function upsampleNearest2d(this: KernelThis, image: KernelArray, scale: number): number {
    return image[this.thread.z]![Math.floor((this.thread.y + 0.5) / scale)]![
      Math.floor((this.thread.x + 0.5) / scale)
    ]!;
  },
  1,
  ['Integer'],
);

/** Every element of x [n, c, rows, columns] repeated `scale` × `scale` times. */
export function upsampleNearest2d(
  x: Tensor,
  { into, scale }: KernelOptions & { readonly scale: number },
): Tensor {
  const [batch, channels, rows, columns] = expectImage('upsampleNearest2d', x);
  expectShape('upsampleNearest2d', 'a result', into, [batch, channels, rows * scale, columns * scale]);
  forEachPlane(into.view, x.view, (out, image) => {
    into.device.dispatch(repeat, out, [image], [scale]);
  });
  return into;
}
