import { printShape, type Shape } from '../dims.ts';
import type { Attrs, TensorType } from '../node.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import {
  axes,
  axisNames,
  broadcastShapes,
  broadcastStrides,
  count,
  forEachOffset,
  numberAttr,
  SUM,
  seenElements,
  take,
} from './support.ts';

const matmul: OpDef = {
  name: 'matmul',
  summary: 'matrix product over the last two axes, leading axes broadcast',
  infer(operands) {
    const [a, b] = take('matmul', operands, 2);
    for (const { shape } of [a, b]) {
      check(shape.length >= 2, 'matmul', () => `expected matrices (rank ≥ 2), got ${printShape(shape)}`);
    }
    check(
      a.shape.at(-1) === b.shape.at(-2),
      'matmul',
      () => `contracted extents differ: ${printShape(a.shape)} · ${printShape(b.shape)}`,
    );
    const batch = broadcastShapes('matmul: leading axes', a.shape.slice(0, -2), b.shape.slice(0, -2));
    return { shape: [...batch, ...a.shape.slice(-2, -1), ...b.shape.slice(-1)], dtype: 'f32' };
  },
  access(operands, _attrs, out) {
    const [a, b] = take('matmul', operands, 2);
    const batch = axisNames(out.shape.length - 2);
    const lead = (shape: Shape): string[] => batch.slice(batch.length - (shape.length - 2));
    return pattern(
      `${axes(lead(a.shape), 'row inner')}, ${axes(lead(b.shape), 'inner column')} -> ${axes(batch, 'row column')}`,
      [a.shape, b.shape],
      out.shape,
    );
  },
  split: () => SUM,
  /** Without what rows do not see, where attributes say that (see `limit-products.ts`). */
  flops(operands, attrs, out) {
    const inner = count(operands[0]?.shape.slice(-1) ?? []);
    const [rows, columns] = out.shape.slice(-2) as [number, number];
    const batch = count(out.shape.slice(0, -2));
    if ('columnsSeen' in attrs)
      return 2 * batch * inner * seenElements(rows, columns, numberAttr(attrs, 'columnsSeen'));
    if ('termsSeen' in attrs)
      return 2 * batch * columns * seenElements(rows, inner, numberAttr(attrs, 'termsSeen'));
    return 2 * batch * rows * columns * inner;
  },
  reference(operands, _attrs, shape) {
    const [a, b] = take('matmul', operands, 2);
    const [rows, columns] = shape.slice(-2) as [number, number];
    const inner = a.shape.at(-1) as number;
    const batch = shape.slice(0, -2);
    const strides = [a, b].map((operand) => {
      const matrix = count(operand.shape.slice(-2));
      return broadcastStrides(operand.shape.slice(0, -2), batch).map((stride) => stride * matrix);
    });
    const out = new Float64Array(count(shape));
    forEachOffset(batch, strides, (flat, [ofA, ofB]) => {
      multiply(
        out,
        flat * rows * columns,
        a.data,
        ofA as number,
        b.data,
        ofB as number,
        rows,
        inner,
        columns,
      );
    });
    return out;
  },
};

/** out[row, column] += Σ a[row, k] · b[k, column], all row-major from their offsets. */
function multiply(
  out: Float64Array,
  ofOut: number,
  a: Float64Array,
  ofA: number,
  b: Float64Array,
  ofB: number,
  rows: number,
  inner: number,
  columns: number,
): void {
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < inner; k++) {
      const factor = a[ofA + row * inner + k] as number;
      for (let column = 0; column < columns; column++) {
        const at = ofOut + row * columns + column;
        out[at] = (out[at] as number) + factor * (b[ofB + k * columns + column] as number);
      }
    }
  }
}

/** Operands of `linear`: the bias is optional. */
function linearOperands<T>(operands: readonly T[]): [x: T, w: T, bias?: T] {
  check(
    operands.length === 2 || operands.length === 3,
    'linear',
    () => `expected an input, a weight and perhaps a bias, got ${operands.length} operands`,
  );
  return operands as unknown as [T, T, T?];
}

const linearShape = (w: TensorType, attrs: Attrs): readonly [Shape[number], Shape[number]] => {
  check(w.shape.length === 2, 'linear', () => `expected a weight matrix, got ${printShape(w.shape)}`);
  const [first, second] = w.shape as [Shape[number], Shape[number]];
  return attrs.transposed ? [first, second] : [second, first];
};

const linear: OpDef = {
  name: 'linear',
  summary: 'affine map of the last axis; the weight is [out, in], or [in, out] when transposed',
  defaults: { transposed: false },
  infer(operands, attrs) {
    const [x, w, bias] = linearOperands(operands);
    const [inputs, outputs] = linearShape(w, attrs);
    check(
      x.shape.length > 0 && x.shape.at(-1) === inputs,
      'linear',
      () =>
        `expected last axis ${inputs} for weight ${printShape(w.shape)}${attrs.transposed ? ' (transposed)' : ''}, got ${printShape(x.shape)}`,
    );
    check(
      bias === undefined || (bias.shape.length === 1 && bias.shape[0] === outputs),
      'linear',
      () => `expected bias [${outputs}], got ${printShape(bias?.shape ?? [])}`,
    );
    return { shape: [...x.shape.slice(0, -1), outputs], dtype: 'f32' };
  },
  access(operands, attrs, out) {
    const batch = axisNames(out.shape.length - 1);
    const sides = [axes(batch, 'in'), attrs.transposed ? 'in out' : 'out in', 'out'].slice(
      0,
      operands.length,
    );
    return pattern(
      `${sides.join(', ')} -> ${axes(batch, 'out')}`,
      operands.map((operand) => operand.shape),
      out.shape,
    );
  },
  /** The bias is added once. */
  split: (operands, attrs) =>
    operands.length === 2
      ? SUM
      : {
          ...SUM,
          part: { op: 'linear', attrs, operands: 2 },
          finish: { op: 'add', attrs: {}, operands: [2] },
        },
  flops: (operands, _attrs, out) =>
    count(out.shape) * (2 * count(operands[0]?.shape.slice(-1) ?? []) + (operands.length === 3 ? 1 : 0)),
  reference(operands, attrs, shape) {
    const [x, w, bias] = linearOperands(operands);
    const inputs = x.shape.at(-1) as number;
    const outputs = shape.at(-1) as number;
    const rows = count(shape.slice(0, -1));
    const out = new Float64Array(rows * outputs);
    if (bias) for (let row = 0; row < rows; row++) out.set(bias.data, row * outputs);
    const weight = attrs.transposed ? w.data : transpose(w.data, outputs, inputs);
    multiply(out, 0, x.data, 0, weight, 0, rows, inputs, outputs);
    return out;
  },
};

function transpose(data: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      out[column * rows + row] = data[row * columns + column] as number;
    }
  }
  return out;
}

export const matmulOps: readonly OpDef[] = [matmul, linear];
