import { reshapeLayout, sliceLayout } from '../../layout/layout.ts';
import { defineKernel, type Kernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { expect, expectShape, type KernelOptions, printShape } from './options.ts';
import { atFirst, type Extents4, expectImage, type Pair, sidesOf, type WindowOptions } from './window.ts';

/*
 * One thread an output element, which gathers the input elements whose windows cover it: products are added over kernel
 * rows, kernel columns and input channels, in this order, and the bias last. A tap lands on an input element where the
 * distance is a multiple of the stride; halves make the division safe on devices that divide a little too low.
 */

const gather = defineKernel(
  function convTranspose2d(
    this: KernelThis,
    image: KernelArray,
    weight: KernelArray,
    bias: KernelArray,
    biased: number,
    inGroup: number,
    outGroup: number,
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
    const group = Math.floor((this.thread.z + 0.5) / outGroup);
    const own = this.thread.z - group * outGroup;
    let sum = 0;
    for (let i = 0; i < kernelRows; i++) {
      const above = this.thread.y + paddingRow - i * dilationRow;
      const row = Math.floor((above + 0.5) / strideRow);
      if (row >= 0 && row < rows && row * strideRow === above) {
        for (let j = 0; j < kernelColumns; j++) {
          const before = this.thread.x + paddingColumn - j * dilationColumn;
          const column = Math.floor((before + 0.5) / strideColumn);
          if (column >= 0 && column < columns && column * strideColumn === before) {
            for (let c = 0; c < inGroup; c++) {
              sum +=
                image[group * inGroup + c]![row]![column]! *
                weight[group * inGroup + c]![own]![i * kernelColumns + j]!;
            }
          }
        }
      }
    }
    return biased > 0 ? sum + bias[0]![0]![this.thread.z]! : sum;
  },
  3,
  new Array<'Integer'>(13).fill('Integer'),
);

/** One output channel, with the weight's own axes. */
const single = defineKernel(
  function convTranspose2dChannel(
    this: KernelThis,
    image: KernelArray,
    weight: KernelArray,
    bias: KernelArray,
    biased: number,
    inGroup: number,
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
    let sum = 0;
    for (let i = 0; i < kernelRows; i++) {
      const above = this.thread.y + paddingRow - i * dilationRow;
      const row = Math.floor((above + 0.5) / strideRow);
      if (row >= 0 && row < rows && row * strideRow === above) {
        for (let j = 0; j < kernelColumns; j++) {
          const before = this.thread.x + paddingColumn - j * dilationColumn;
          const column = Math.floor((before + 0.5) / strideColumn);
          if (column >= 0 && column < columns && column * strideColumn === before) {
            for (let c = 0; c < inGroup; c++) {
              sum += image[c]![row]![column]! * weight[c]![i]![j]!;
            }
          }
        }
      }
    }
    return biased > 0 ? sum + bias[0]![0]![0]! : sum;
  },
  3,
  new Array<'Integer'>(12).fill('Integer'),
);

type TransposeOptions = KernelOptions &
  WindowOptions & {
    /** Input channels of one group. */
    readonly channelsPerGroup: number;
    readonly outputPadding?: Pair;
  };

/**
 * Transposed convolution of x [n, c, rows, columns] with weight [c, out / groups, kernel rows, kernel columns], plus a bias
 * [out].
 */
export function convTranspose2d(x: Tensor, weight: Tensor, options: TransposeOptions): Tensor;
export function convTranspose2d(x: Tensor, weight: Tensor, bias: Tensor, options: TransposeOptions): Tensor;
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  ...rest: readonly [TransposeOptions] | readonly [Tensor, TransposeOptions]
): Tensor {
  const op = 'convTranspose2d';
  const [bias, { into, channelsPerGroup, ...windows }] = rest.length === 2 ? rest : [undefined, rest[0]];
  const { stride = [1, 1], padding = [0, 0], dilation = [1, 1], outputPadding = [0, 0] } = windows;
  const [batch, channels, ...extents] = expectImage(op, x);
  expect(
    weight.shape.length === 4 && weight.shape[0] === channels && channels % channelsPerGroup === 0,
    op,
    () =>
      `weight ${printShape(weight.shape)} in groups of ${channelsPerGroup} does not fit ${printShape(x.shape)}`,
  );
  const [, outGroup, ...kernel] = weight.shape as readonly number[] as Extents4;
  const outChannels = (channels / channelsPerGroup) * outGroup;
  if (bias) expectShape(op, 'a bias', bias, [outChannels]);
  const sides = sidesOf(padding);
  const extent = (axis: 0 | 1): number =>
    (extents[axis] - 1) * stride[axis] -
    (sides[2 * axis] as number) -
    (sides[2 * axis + 1] as number) +
    dilation[axis] * (kernel[axis] - 1) +
    1 +
    outputPadding[axis];
  expectShape(op, 'a result', into, [batch, outChannels, extent(0), extent(1)]);
  const scalars = [...extents, ...kernel, ...stride, sides[0], sides[2], ...dilation];
  const [out, source, taps] = [into.view, x.view, weight.view];
  const folded = reshapeLayout(taps.layout, [channels, outGroup, kernel[0] * kernel[1]]);
  const run = (
    program: Kernel,
    views: readonly [out: Tensor['view'], image: Tensor['view'], weight: Tensor['view']],
    add: Tensor['view'] | undefined,
    numbers: readonly number[],
  ): void => {
    const [target, image, kernelView] = views;
    into.device.dispatch(program, target, [image, kernelView, add ?? kernelView], [add ? 1 : 0, ...numbers]);
  };
  for (let n = 0; n < batch; n++) {
    const image = { storage: source.storage, layout: atFirst(source.layout, n) };
    const target = { storage: out.storage, layout: atFirst(out.layout, n) };
    if (folded) {
      const numbers = [channelsPerGroup, outGroup, ...scalars];
      run(gather, [target, image, { storage: taps.storage, layout: folded }], bias?.view, numbers);
      continue;
    }
    for (let o = 0; o < outChannels; o++) {
      const first = Math.floor(o / outGroup) * channelsPerGroup;
      const one = sliceLayout(taps.layout, 1, o % outGroup, (o % outGroup) + 1);
      const column = sliceLayout(one, 0, first, first + channelsPerGroup);
      const layout = {
        shape: column.shape.toSpliced(1, 1),
        strides: column.strides.toSpliced(1, 1),
        offset: column.offset,
      };
      run(
        single,
        [
          { storage: out.storage, layout: sliceLayout(target.layout, 0, o, o + 1) },
          { storage: source.storage, layout: sliceLayout(image.layout, 0, first, first + channelsPerGroup) },
          { storage: taps.storage, layout },
        ],
        bias?.slice(0, o, o + 1).view,
        [channelsPerGroup, ...scalars],
      );
    }
  }
  return into;
}
