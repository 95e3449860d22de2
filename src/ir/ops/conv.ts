import { addDims, type Dim, divDims, mulDims, printShape } from '../dims.ts';
import type { Attrs, TensorType } from '../node.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef, type RefTensor } from './op.ts';
import { count, numberAttr } from './support.ts';
import {
  forEachTap,
  imageShape,
  pairAttr,
  places,
  printPadding,
  UNIT_WINDOWS,
  type Windows,
  windowsOf,
  windowTerm,
  withPadding,
} from './window.ts';

/** Operands of a convolution: the bias is optional. */
function operandsOf<T>(op: string, operands: readonly T[]): [x: T, weight: T, bias?: T] {
  check(
    operands.length === 2 || operands.length === 3,
    op,
    () => `expected an input, a weight and perhaps a bias, got ${operands.length} operands`,
  );
  return operands as unknown as [T, T, T?];
}

function weightShape(op: string, { shape }: TensorType): readonly [Dim, Dim, number, number] {
  const [, , rows, columns] = shape;
  check(
    shape.length === 4 && typeof rows === 'number' && typeof columns === 'number',
    op,
    () => `expected a weight of rank 4 whose last two extents are numbers, got ${printShape(shape)}`,
  );
  return shape as readonly [Dim, Dim, number, number];
}

function checkBias(op: string, bias: TensorType | undefined, channels: Dim): void {
  check(
    bias === undefined || (bias.shape.length === 1 && bias.shape[0] === channels),
    op,
    () => `expected bias [${channels}], got ${printShape(bias?.shape ?? [])}`,
  );
}

/** Everything about a convolution that follows from its shapes. Groups follow from the channels of input and weight. */
function convolution(operands: readonly TensorType[], attrs: Attrs) {
  const op = 'conv2d';
  const [x, weight, bias] = operandsOf(op, operands);
  const [batch, channels, rows, columns] = imageShape(op, x.shape);
  const [outChannels, inGroup, kernelRows, kernelColumns] = weightShape(op, weight);
  const groups = divDims(channels, inGroup);
  const outGroup = groups === undefined ? undefined : divDims(outChannels, groups);
  check(
    groups !== undefined && outGroup !== undefined,
    op,
    () =>
      `the channels of ${printShape(x.shape)} and of weight ${printShape(weight.shape)} make no whole number of groups`,
  );
  checkBias(op, bias, outChannels);
  const windows = windowsOf(op, attrs, [kernelRows, kernelColumns]);
  return { batch, rows, columns, groups, inGroup, outChannels, outGroup, windows };
}

const conv2d: OpDef = {
  name: 'conv2d',
  kernelClass: 'convolution',
  summary: 'convolution of [n, c, rows, columns] with [out, c / groups, kernel rows, kernel columns]',
  defaults: UNIT_WINDOWS,
  infer(operands, attrs) {
    const { batch, rows, columns, outChannels, windows } = convolution(operands, attrs);
    const shape = [
      batch,
      outChannels,
      places('conv2d', rows, windows[0]),
      places('conv2d', columns, windows[1]),
    ];
    return { shape, dtype: 'f32' };
  },
  access(operands, attrs, out) {
    const { rows, columns, groups, inGroup, outGroup, windows } = convolution(operands, attrs);
    const [, , outRows, outColumns] = out.shape as readonly [Dim, Dim, Dim, Dim];
    const row = windowTerm('row', 'tapRow', windows[0], rows, outRows);
    const column = windowTerm('column', 'tapColumn', windows[1], columns, outColumns);
    const sides = [
      `batch (group in) ${row} ${column}`,
      '(group out) in tapRow tapColumn',
      '(group out)',
    ].slice(0, operands.length);
    return pattern(
      `${sides.join(', ')} -> batch (group out) row column`,
      operands.map((operand) => operand.shape),
      out.shape,
      {
        extents: {
          group: groups,
          in: inGroup,
          out: outGroup,
          tapRow: windows[0].size,
          tapColumn: windows[1].size,
        },
        windows: { row: windows[0], column: windows[1] },
      },
    );
  },
  pad: (attrs, axis, padding) => withPadding('conv2d', attrs, axis, padding),
  flops: (operands, _attrs, out) =>
    count(out.shape) * (2 * count(operands[1]?.shape.slice(1) ?? []) + (operands.length === 3 ? 1 : 0)),
  reference(operands, attrs, shape) {
    const { groups, windows } = convolution(asTypes(operands), attrs);
    const [x, weight, bias] = operandsOf('conv2d', operands);
    const [, channels, rows, columns] = x.shape as Four;
    const [, inGroup, kernelRows, kernelColumns] = weight.shape as Four;
    const [batch, outChannels, outRows, outColumns] = shape as unknown as Four;
    const perGroup = outChannels / (groups as number);
    const out = new Float64Array(count(shape));
    let at = 0;
    for (let n = 0; n < batch; n++) {
      for (let o = 0; o < outChannels; o++) {
        const first = Math.floor(o / perGroup) * inGroup;
        for (let y = 0; y < outRows; y++) {
          for (let z = 0; z < outColumns; z++) {
            let sum = bias?.data[o] ?? 0;
            for (let c = 0; c < inGroup; c++) {
              const image = (n * channels + first + c) * rows;
              const kernel = (o * inGroup + c) * kernelRows;
              forEachTap(windows[0], y, rows, (row, tapRow) => {
                forEachTap(windows[1], z, columns, (column, tapColumn) => {
                  sum +=
                    (x.data[(image + row) * columns + column] as number) *
                    (weight.data[(kernel + tapRow) * kernelColumns + tapColumn] as number);
                });
              });
            }
            out[at++] = sum;
          }
        }
      }
    }
    return out;
  },
};

type Four = readonly [number, number, number, number];

const asTypes = (operands: readonly RefTensor[]): TensorType[] =>
  operands.map(({ shape }) => ({ shape, dtype: 'f32' as const }));

/** The same for a transposed convolution: `channelsPerGroup` input channels make the channels of one group. */
function transposed(operands: readonly TensorType[], attrs: Attrs) {
  const op = 'convTranspose2d';
  const [x, weight, bias] = operandsOf(op, operands);
  const [batch, channels, rows, columns] = imageShape(op, x.shape);
  const [weightChannels, outGroup, kernelRows, kernelColumns] = weightShape(op, weight);
  check(
    weightChannels === channels,
    op,
    () =>
      `expected a weight with ${channels} input channels for ${printShape(x.shape)}, got ${printShape(weight.shape)}`,
  );
  const inGroup = numberAttr(attrs, 'channelsPerGroup');
  const groups = divDims(channels, inGroup);
  check(groups !== undefined, op, () => `${channels} channels are no whole number of groups of ${inGroup}`);
  const outChannels = mulDims(groups, outGroup);
  checkBias(op, bias, outChannels);
  const windows = windowsOf(op, attrs, [kernelRows, kernelColumns]);
  const extra = pairAttr(op, attrs, 'outputPadding', 0);
  const extent = (input: Dim, axis: 0 | 1): Dim => {
    const { size, stride, dilation, padding } = windows[axis];
    const steps = mulDims(stride, addDims(input, -1));
    const total = addDims(steps, dilation * (size - 1) + 1 + extra[axis], mulDims(-1, addDims(...padding)));
    check(
      typeof total !== 'number' || total > 0,
      op,
      () => `padding ${printPadding(padding)} leaves nothing of axis ${axis + 2} of ${printShape(x.shape)}`,
    );
    return total;
  };
  const shape = [batch, outChannels, extent(rows, 0), extent(columns, 1)];
  return { groups, inGroup, outGroup, outChannels, windows, extra, shape };
}

/** How the rows or columns of the operand and of the result correspond. */
function spreadTerms(
  place: string,
  tap: string,
  windows: Windows,
  extra: readonly [number, number],
  axis: 0 | 1,
): readonly [from: string, to: string] {
  if (tiles(windows, extra, axis)) return [place, `(${place} ${tap}!)`];
  const { stride, padding } = windows[axis];
  // Elements at the end that no window reaches come from nowhere: such an axis stays whole.
  const reached = typeof padding[1] === 'number' && extra[axis] - padding[1] < stride;
  return reached ? [place, `${place}~`] : [`${place}!`, `out_${place}!`];
}

/** Does every element of the result lie under exactly one element of the input, as patches side by side do? */
const tiles = (windows: Windows, extra: readonly [number, number], axis: 0 | 1): boolean => {
  const { size, stride, dilation, padding } = windows[axis];
  return (
    size === stride &&
    padding.every((side) => side === 0) &&
    extra[axis] === 0 &&
    (dilation === 1 || size === 1)
  );
};

const convTranspose2d: OpDef = {
  name: 'convTranspose2d',
  kernelClass: 'convolution',
  summary:
    'transposed convolution of [n, c, rows, columns] with [c, out / groups, kernel rows, kernel columns]',
  defaults: { ...UNIT_WINDOWS, outputPadding: [0, 0] },
  infer: (operands, attrs) => ({ shape: transposed(operands, attrs).shape, dtype: 'f32' }),
  access(operands, attrs, out) {
    const { groups, inGroup, outGroup, windows, extra } = transposed(operands, attrs);
    const [row, outRow] = spreadTerms('row', 'tapRow', windows, extra, 0);
    const [column, outColumn] = spreadTerms('column', 'tapColumn', windows, extra, 1);
    const sides = [
      `batch (group in) ${row} ${column}`,
      '(group in) out tapRow tapColumn',
      '(group out)',
    ].slice(0, operands.length);
    return pattern(
      `${sides.join(', ')} -> batch (group out) ${outRow} ${outColumn}`,
      operands.map((operand) => operand.shape),
      out.shape,
      {
        extents: {
          group: groups,
          in: inGroup,
          out: outGroup,
          tapRow: windows[0].size,
          tapColumn: windows[1].size,
        },
        windows: { row: windows[0], column: windows[1] },
      },
    );
  },
  /** A part ends where its padding says: none is added to it. */
  pad: (attrs, axis, padding) => ({
    ...withPadding('convTranspose2d', attrs, axis, padding),
    outputPadding: pairAttr('convTranspose2d', attrs, 'outputPadding', 0).with(axis - 2, 0),
  }),
  flops(operands, _attrs, out) {
    const [x, weight] = operandsOf('convTranspose2d', operands);
    return 2 * count(x.shape) * count(weight.shape.slice(1)) + (operands.length === 3 ? count(out.shape) : 0);
  },
  reference(operands, attrs, shape) {
    const { groups, windows } = transposed(asTypes(operands), attrs);
    const [x, weight, bias] = operandsOf('convTranspose2d', operands);
    const [batch, channels, rows, columns] = x.shape as Four;
    const [, outGroup, kernelRows, kernelColumns] = weight.shape as Four;
    const [, outChannels, outRows, outColumns] = shape as unknown as Four;
    const inGroup = channels / (groups as number);
    const plane = outRows * outColumns;
    const out = Float64Array.from(
      { length: count(shape) },
      (_, i) => bias?.data[Math.floor(i / plane) % outChannels] ?? 0,
    );
    for (let n = 0; n < batch; n++) {
      for (let c = 0; c < channels; c++) {
        for (let o = 0; o < outGroup; o++) {
          const target = n * outChannels + Math.floor(c / inGroup) * outGroup + o;
          for (let y = 0; y < rows; y++) {
            for (let z = 0; z < columns; z++) {
              const value = x.data[((n * channels + c) * rows + y) * columns + z] as number;
              forEachTap(windows[0], y, outRows, (row, tapRow) => {
                forEachTap(windows[1], z, outColumns, (column, tapColumn) => {
                  const tap = ((c * outGroup + o) * kernelRows + tapRow) * kernelColumns + tapColumn;
                  const at = target * plane + row * outColumns + column;
                  out[at] = (out[at] as number) + value * (weight.data[tap] as number);
                });
              });
            }
          }
        }
      }
    }
    return out;
  },
};

export const convOps: readonly OpDef[] = [conv2d, convTranspose2d];
