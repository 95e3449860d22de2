import { type Layout, reshapeLayout, sliceLayout } from '../../layout/layout.ts';
import type { StorageView } from '../device.ts';
import { defineKernel, type Kernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { axesOf, forEachFolded, repeatAlong } from './fold.ts';
import { expect, expectShape, type KernelOptions, printShape } from './options.ts';
import { atFirst, type Extents4, expectImage, expectPlaces, sidesOf, type WindowOptions } from './window.ts';

/*
 * One thread an output element: z output channel, y row, x column. Products are added over kernel rows, kernel columns and
 * input channels, in this order, and the bias last, so parts of the batch, the channels and the groups have the bits of
 * the whole. The long loop over channels is the innermost one: bounds are tested outside it. Taps outside the image are not added. Kernel rows and columns are one axis of the weight, and group g is
 * found by halves, because devices may divide a little too low.
 */

/** Windows side by side: lanes along x read neighbours. */
const dense = defineKernel(
  function conv2d(
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
    paddingRow: number,
    paddingColumn: number,
    dilationRow: number,
    dilationColumn: number,
  ): number {
    const first = Math.floor((this.thread.z + 0.5) / outGroup) * inGroup;
    let sum = 0;
    for (let i = 0; i < kernelRows; i++) {
      const row = this.thread.y * strideRow + i * dilationRow - paddingRow;
      if (row >= 0 && row < rows) {
        for (let j = 0; j < kernelColumns; j++) {
          const shift = j * dilationColumn - paddingColumn;
          if (this.thread.x + shift >= 0 && this.thread.x + shift < columns) {
            for (let c = 0; c < inGroup; c++) {
              sum +=
                image[first + c]![row]![this.thread.x + shift]! *
                weight[this.thread.z]![c]![i * kernelColumns + j]!;
            }
          }
        }
      }
    }
    return biased > 0 ? sum + bias[0]![0]![this.thread.z]! : sum;
  },
  3,
  new Array<'Integer'>(12).fill('Integer'),
);

/** Columns where every tap lies inside the image, in one group; the image starts under the first tap. */
const interior = defineKernel(
  function conv2dInterior(
    this: KernelThis,
    image: KernelArray,
    weight: KernelArray,
    bias: KernelArray,
    biased: number,
    inGroup: number,
    rows: number,
    kernelRows: number,
    kernelColumns: number,
    strideRow: number,
    paddingRow: number,
    dilationRow: number,
    dilationColumn: number,
  ): number {
    let sum = 0;
    for (let i = 0; i < kernelRows; i++) {
      const row = this.thread.y * strideRow + i * dilationRow - paddingRow;
      if (row >= 0 && row < rows) {
        for (let j = 0; j < kernelColumns; j++) {
          for (let c = 0; c < inGroup; c++) {
            sum +=
              image[c]![this.thread.y * strideRow + i * dilationRow - paddingRow]![
                this.thread.x + j * dilationColumn
              ]! * weight[this.thread.z]![c]![i * kernelColumns + j]!;
          }
        }
      }
    }
    return biased > 0 ? sum + bias[0]![0]![this.thread.z]! : sum;
  },
  3,
  new Array<'Integer'>(9).fill('Integer'),
);

const strided = defineKernel(
  function conv2dStrided(
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
    paddingRow: number,
    paddingColumn: number,
    dilationRow: number,
    dilationColumn: number,
    strideColumn: number,
  ): number {
    const first = Math.floor((this.thread.z + 0.5) / outGroup) * inGroup;
    let sum = 0;
    for (let i = 0; i < kernelRows; i++) {
      const row = this.thread.y * strideRow + i * dilationRow - paddingRow;
      if (row >= 0 && row < rows) {
        for (let j = 0; j < kernelColumns; j++) {
          const column = this.thread.x * strideColumn + j * dilationColumn - paddingColumn;
          if (column >= 0 && column < columns) {
            for (let c = 0; c < inGroup; c++) {
              sum += image[first + c]![row]![column]! * weight[this.thread.z]![c]![i * kernelColumns + j]!;
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

/** One output channel, with the weight's own four axes. */
const single = defineKernel(
  function conv2dChannel(
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
    paddingRow: number,
    paddingColumn: number,
    dilationRow: number,
    dilationColumn: number,
    strideColumn: number,
  ): number {
    let sum = 0;
    for (let i = 0; i < kernelRows; i++) {
      const row = this.thread.y * strideRow + i * dilationRow - paddingRow;
      if (row >= 0 && row < rows) {
        for (let j = 0; j < kernelColumns; j++) {
          const column = this.thread.x * strideColumn + j * dilationColumn - paddingColumn;
          if (column >= 0 && column < columns) {
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

/** A kernel of one element: a matrix product over the channels, y the output channel. */
const pointwise = defineKernel(
  function conv2dPointwise(
    this: KernelThis,
    weight: KernelArray,
    image: KernelArray,
    bias: KernelArray,
    biased: number,
    channels: number,
  ): number {
    let sum = 0;
    for (let c = 0; c < channels; c++) {
      sum += weight[0]![this.thread.y]![c]! * image[this.thread.z]![c]![this.thread.x]!;
    }
    return biased > 0 ? sum + bias[0]![0]![this.thread.y]! : sum;
  },
  3,
  ['Integer', 'Integer'],
);

type ConvOptions = KernelOptions & WindowOptions;

/**
 * Convolution of x [n, c, rows, columns] with weight [out, c / groups, kernel rows, kernel columns], plus a bias [out].
 * The groups follow from the channels.
 */
export function conv2d(x: Tensor, weight: Tensor, options: ConvOptions): Tensor;
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor, options: ConvOptions): Tensor;
export function conv2d(
  x: Tensor,
  weight: Tensor,
  ...rest: readonly [ConvOptions] | readonly [Tensor, ConvOptions]
): Tensor {
  const [bias, options] = rest.length === 2 ? rest : [undefined, rest[0]];
  const { into, stride = [1, 1], padding = [0, 0], dilation = [1, 1] } = options;
  const [, channels, rows, columns] = expectImage('conv2d', x);
  const [outChannels, inGroup, kernelRows, kernelColumns] = expectWeight('conv2d', weight);
  const groups = channels / inGroup;
  expect(
    Number.isInteger(groups) && outChannels % groups === 0,
    'conv2d',
    () =>
      `the channels of ${printShape(x.shape)} and of weight ${printShape(weight.shape)} make no whole number of groups`,
  );
  if (bias) expectShape('conv2d', 'a bias', bias, [outChannels]);
  expectPlaces('conv2d', x, into, outChannels, [kernelRows, kernelColumns], options);
  const unit = [kernelRows, kernelColumns, ...stride].every((n) => n === 1) && padding.every((n) => n === 0);
  if (unit) {
    // By groups, so that one group alone has the bits it has among others.
    for (let group = 0; group < groups; group++) {
      const [first, end] = [group, group + 1].map((g) => (g * outChannels) / groups) as [number, number];
      multiplyPoints(
        x.slice(1, group * inGroup, (group + 1) * inGroup),
        weight.slice(0, first, end),
        bias?.slice(0, first, end),
        into.slice(1, first, end),
      );
    }
    return into;
  }
  const [top, , left] = sidesOf(padding);
  const scalars = [
    inGroup,
    outChannels / groups,
    rows,
    columns,
    kernelRows,
    kernelColumns,
    stride[0],
    top,
    left,
    dilation[0],
    dilation[1],
  ];
  const reach = dilation[1] * (kernelColumns - 1);
  // Columns whose taps all lie inside the image.
  const [first, end] = [left, left + columns - reach];
  const run = (target: StorageView, image: StorageView, taps: StorageView, add: StorageView | undefined) => {
    if (stride[1] !== 1) {
      dispatchBiased(into, strided, target, [image, taps], add, [...scalars, stride[1]]);
      return;
    }
    const outColumns = target.layout.shape[2] as number;
    const part = (from: number, to: number): StorageView => ({
      storage: target.storage,
      layout: sliceLayout(target.layout, 2, from, to),
    });
    const edge = (from: number, to: number): void => {
      if (to <= from) return;
      const numbers = scalars.with(8, left - from);
      dispatchBiased(into, dense, part(from, to), [image, taps], add, numbers);
    };
    const stop = Math.min(end, outColumns);
    if (stop <= first || groups > 1) {
      edge(0, outColumns);
      return;
    }
    edge(0, first);
    edge(stop, outColumns);
    const numbers = scalars.filter((_, i) => i !== 1 && i !== 3 && i !== 8);
    dispatchBiased(into, interior, part(first, stop), [image, taps], add, numbers);
  };
  const [out, source, kernel] = [into.view, x.view, weight.view];
  const { tuned } = into.device;
  const taps = reshapeLayout(kernel.layout, [outChannels, inGroup, kernelRows * kernelColumns]);
  for (let n = 0; n < (x.shape[0] as number); n++) {
    const image = { storage: source.storage, layout: atFirst(source.layout, n) };
    const target = { storage: out.storage, layout: atFirst(out.layout, n) };
    if (tuned) {
      const common = { out: target, image, groups, kernelColumns, stride, dilation };
      if (taps) {
        const weights = { storage: kernel.storage, layout: taps };
        tuned.convolve({ ...common, weight: weights, bias: bias?.view, padding: [top, left] });
        continue;
      }
      // The rows of the kernel are no single axis with its columns: the sum goes on from row to row.
      for (let row = 0; row < kernelRows; row++) {
        tuned.convolve({
          ...common,
          weight: { storage: kernel.storage, layout: kernelRow(kernel.layout, row) },
          bias: row === kernelRows - 1 ? bias?.view : undefined,
          padding: [top - row * dilation[0], left],
          accumulate: row > 0,
        });
      }
    } else if (taps) run(target, image, { storage: kernel.storage, layout: taps }, bias?.view);
    else
      eachChannel(into, target, image, kernel, bias?.view, groups, [inGroup, ...scalars.slice(2), stride[1]]);
  }
  return into;
}

/** Row `row` of the kernels of a weight: [out, in, columns]. */
function kernelRow({ shape, strides, offset }: Layout, row: number): Layout {
  const without = (values: readonly number[]): number[] => values.filter((_, axis) => axis !== 2);
  return { shape: without(shape), strides: without(strides), offset: offset + row * (strides[2] as number) };
}

/** Arrays and the bias; without one, any array stands in for it, unread. */
function dispatchBiased(
  into: Tensor,
  kernel: Kernel,
  out: StorageView,
  arrays: readonly [StorageView, StorageView],
  bias: StorageView | undefined,
  scalars: readonly number[],
): void {
  into.device.dispatch(kernel, out, [...arrays, bias ?? arrays[1]], [bias ? 1 : 0, ...scalars]);
}

/** A weight whose rows and columns are no single axis: one output channel after another. */
function eachChannel(
  into: Tensor,
  out: StorageView,
  image: StorageView,
  weight: StorageView,
  bias: StorageView | undefined,
  groups: number,
  scalars: readonly number[],
): void {
  const [outChannels, inGroup] = weight.layout.shape as Extents4;
  for (let o = 0; o < outChannels; o++) {
    const first = Math.floor((o * groups) / outChannels) * inGroup;
    dispatchBiased(
      into,
      single,
      { storage: out.storage, layout: sliceLayout(out.layout, 0, o, o + 1) },
      [
        { storage: image.storage, layout: sliceLayout(image.layout, 0, first, first + inGroup) },
        { storage: weight.storage, layout: atFirst(weight.layout, o) },
      ],
      bias && { storage: bias.storage, layout: sliceLayout(bias.layout, 0, o, o + 1) },
      scalars,
    );
  }
}

function multiplyPoints(x: Tensor, weight: Tensor, bias: Tensor | undefined, into: Tensor): void {
  const [out, source, kernel] = [into.view, x.view, weight.view];
  const matrix = { storage: kernel.storage, layout: axesOf(kernel.layout, 0, 2) };
  const { tuned } = into.device;
  const views = [out, source];
  for (let n = 0; n < (x.shape[0] as number); n++) {
    const images = views.map(({ layout }) => atFirst(layout, n));
    forEachFolded(
      images.map((layout) => axesOf(layout, 1, 3)),
      2,
      (planes) => {
        const [target, image] = planes.map(({ shape, strides, offset }, i) => ({
          storage: (views[i] as StorageView).storage,
          layout: {
            shape: [shape[0], images[i]?.shape[0], shape[1]],
            strides: [strides[0], images[i]?.strides[0], strides[1]],
            offset,
          } as Layout,
        })) as [StorageView, StorageView];
        if (tuned) {
          const weights = { storage: kernel.storage, layout: repeatAlong(matrix.layout, 0, 1) };
          tuned.multiply({ out: target, a: weights, b: image, bias: bias && alongRows(bias.view, target) });
          return;
        }
        dispatchBiased(into, pointwise, target, [matrix, image], bias?.view, [
          matrix.layout.shape[1] as number,
        ]);
      },
    );
  }
}

/** A bias of one element a row, for all of `out`. */
function alongRows({ storage, layout }: StorageView, out: StorageView): StorageView {
  const [stride = 0] = layout.strides;
  return { storage, layout: { shape: out.layout.shape, strides: [0, stride, 0], offset: layout.offset } };
}

function expectWeight(op: string, weight: Tensor): Extents4 {
  expect(weight.shape.length === 4, op, () => `expected a weight of rank 4, got ${printShape(weight.shape)}`);
  return weight.shape as readonly number[] as Extents4;
}
