import { type Dim, mulDims } from '../dims.ts';
import type { Attrs, TensorType } from '../node.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { count, numberAttr, take } from './support.ts';
import {
  forEachTap,
  imageShape,
  pairAttr,
  places,
  printPadding,
  UNIT_WINDOWS,
  windowsOf,
  windowTerm,
  withPadding,
} from './window.ts';

const windowsOfPool = (op: string, attrs: Attrs) => {
  const size = pairAttr(op, attrs, 'kernel', 1);
  const windows = windowsOf(op, { ...UNIT_WINDOWS, ...attrs }, size);
  for (const { padding, size: extent } of windows) {
    // A window outside the image altogether would have no maximum and no mean.
    check(
      padding.every((side) => typeof side !== 'number' || 2 * side <= extent),
      op,
      () => `padding ${printPadding(padding)} is more than half of the window of ${extent}`,
    );
  }
  return windows;
};

const pooled = (op: string, operands: readonly TensorType[], attrs: Attrs) => {
  const [x] = take(op, operands, 1);
  const [batch, channels, rows, columns] = imageShape(op, x.shape);
  const windows = windowsOfPool(op, attrs);
  return { batch, channels, rows, columns, windows };
};

function pool(
  name: string,
  summary: string,
  defaults: Attrs,
  reduce: (values: readonly number[], area: number, attrs: Attrs) => number,
): OpDef {
  return {
    name,
    summary,
    defaults,
    infer(operands, attrs) {
      const { batch, channels, rows, columns, windows } = pooled(name, operands, attrs);
      const shape = [batch, channels, places(name, rows, windows[0]), places(name, columns, windows[1])];
      return { shape, dtype: 'f32' };
    },
    access(operands, attrs, out) {
      const { rows, columns, windows } = pooled(name, operands, attrs);
      const [, , outRows, outColumns] = out.shape as readonly [Dim, Dim, Dim, Dim];
      const row = windowTerm('row', 'tapRow', windows[0], rows, outRows);
      const column = windowTerm('column', 'tapColumn', windows[1], columns, outColumns);
      return pattern(
        `batch channel ${row} ${column} -> batch channel row column`,
        operands.map((operand) => operand.shape),
        out.shape,
        {
          extents: { tapRow: windows[0].size, tapColumn: windows[1].size },
          windows: { row: windows[0], column: windows[1] },
        },
      );
    },
    pad: (attrs, axis, padding) => withPadding(name, attrs, axis, padding),
    flops(_operands, attrs, out) {
      const [rows, columns] = pairAttr(name, attrs, 'kernel', 1);
      return count(out.shape) * rows * columns;
    },
    reference(operands, attrs, shape) {
      const [x] = take(name, operands, 1);
      const [rowWindow, columnWindow] = windowsOfPool(name, attrs);
      const [rows, columns] = x.shape.slice(2) as [number, number];
      const [outRows, outColumns] = shape.slice(2) as [number, number];
      const out = new Float64Array(count(shape));
      for (let flat = 0; flat < out.length; flat++) {
        const image = Math.floor(flat / (outRows * outColumns)) * rows;
        const values: number[] = [];
        forEachTap(rowWindow, Math.floor(flat / outColumns) % outRows, rows, (row) => {
          forEachTap(columnWindow, flat % outColumns, columns, (column) => {
            values.push(x.data[(image + row) * columns + column] as number);
          });
        });
        out[flat] = reduce(values, rowWindow.size * columnWindow.size, attrs);
      }
      return out;
    },
  };
}

const POOL_DEFAULTS = { padding: [0, 0] } as const;

const maxPool2d = pool(
  'maxPool2d',
  'largest element under a window that slides over rows and columns',
  { ...POOL_DEFAULTS, dilation: [1, 1] },
  (values) => Math.max(...values),
);

const avgPool2d = pool(
  'avgPool2d',
  'mean of the elements under a window that slides over rows and columns',
  { ...POOL_DEFAULTS, countIncludePad: true },
  (values, area, attrs) =>
    values.reduce((a, b) => a + b, 0) / (attrs.countIncludePad === false ? values.length : area),
);

const upsampleNearest2d: OpDef = {
  name: 'upsampleNearest2d',
  summary: 'every element of an image repeated scale × scale times',
  infer(operands, attrs) {
    const [x] = take('upsampleNearest2d', operands, 1);
    const [batch, channels, rows, columns] = imageShape('upsampleNearest2d', x.shape);
    const scale = numberAttr(attrs, 'scale');
    check(
      Number.isInteger(scale) && scale > 0,
      'upsampleNearest2d',
      () => `expected a positive integer as scale, got ${scale}`,
    );
    return { shape: [batch, channels, mulDims(rows, scale), mulDims(columns, scale)], dtype: x.dtype };
  },
  access(operands, attrs, out) {
    const [x] = take('upsampleNearest2d', operands, 1);
    const scale = numberAttr(attrs, 'scale');
    return pattern(
      'batch channel row column -> batch channel (row copyRow!) (column copyColumn!)',
      [x.shape],
      out.shape,
      { extents: { copyRow: scale, copyColumn: scale } },
    );
  },
  flops: () => 0,
  reference(operands, attrs, shape) {
    const [x] = take('upsampleNearest2d', operands, 1);
    const scale = numberAttr(attrs, 'scale');
    const [outRows, outColumns] = shape.slice(2) as [number, number];
    return new Float64Array(count(shape)).map((_, flat) => {
      const image = Math.floor(flat / (outRows * outColumns));
      const row = Math.floor((Math.floor(flat / outColumns) % outRows) / scale);
      const column = Math.floor((flat % outColumns) / scale);
      return x.data[(image * (outRows / scale) + row) * (outColumns / scale) + column] as number;
    });
  },
};

export const poolOps: readonly OpDef[] = [maxPool2d, avgPool2d, upsampleNearest2d];
