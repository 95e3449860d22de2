import { invariant } from '../../errors.ts';
import { type Dim, printShape, type Shape } from '../dims.ts';
import { type Attrs, type DType, isTextAttr, type TensorType } from '../node.ts';
import { check, type RefTensor, type Split } from './op.ts';

/** The result is the sum of what the op makes of the parts. */
export const SUM: Split = { combine: 'add', init: 0 };

/** The operands as a tuple of the expected length; ShapeError otherwise. */
export function take<T, N extends 1 | 2 | 3>(op: string, operands: readonly T[], count: N): Tuple<T, N> {
  check(
    operands.length === count,
    op,
    () => `expected ${count} operand${count === 1 ? '' : 's'}, got ${operands.length}`,
  );
  return operands as unknown as Tuple<T, N>;
}
type Tuple<T, N extends 1 | 2 | 3> = N extends 1 ? [T] : N extends 2 ? [T, T] : [T, T, T];

/** Numeric attribute. A symbolic one here is a defect: references, flops and layouts see bound dimensions only. */
export function numberAttr(attrs: Attrs, name: string): number {
  const value = attrs[name];
  invariant(typeof value === 'number', () => `attribute ${name} should be a number, is ${String(value)}`);
  return value;
}

export function dimAttr(attrs: Attrs, name: string): Dim {
  const value = attrs[name];
  invariant(
    typeof value === 'number' || typeof value === 'string',
    () => `attribute ${name} should be a dimension, is ${String(value)}`,
  );
  return value;
}

export function textAttr(attrs: Attrs, name: string): string {
  const value = attrs[name];
  invariant(isTextAttr(value), () => `attribute ${name} should be a text, is ${String(value)}`);
  return value.text;
}

export function dimsAttr(attrs: Attrs, name: string): readonly Dim[] {
  const value = attrs[name];
  invariant(Array.isArray(value), () => `attribute ${name} should be a list, is ${String(value)}`);
  return value as readonly Dim[];
}

export const numbersAttr = (attrs: Attrs, name: string): readonly number[] =>
  dimsAttr(attrs, name).map((value) => {
    invariant(typeof value === 'number', () => `attribute ${name} should hold numbers, holds ${value}`);
    return value;
  });

/** Elements of a matrix before its diagonal: row i has `first + i` of them, as far as there are so many. */
export function seenElements(rows: number, columns: number, first: number): number {
  let seen = 0;
  for (let row = 0; row < rows; row++) seen += Math.max(0, Math.min(columns, first + row));
  return seen;
}

/** The `axis` attribute, checked against a rank. */
export function axisAttr(op: string, attrs: Attrs, shape: Shape): number {
  const axis = numberAttr(attrs, 'axis');
  check(
    Number.isInteger(axis) && axis >= 0 && axis < shape.length,
    op,
    () => `axis ${axis} is out of range for ${printShape(shape)}`,
  );
  return axis;
}

/** Names for generic axes, outermost first: `a b c …`. Axes with a role get a word instead (`row`, `inner`). */
export const axisNames = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => (i < 26 ? String.fromCharCode(97 + i) : `a${i}`));

/** One side of a pattern. */
export const axes = (...names: readonly (string | readonly string[])[]): string => names.flat().join(' ');

/** The labels with those of `axis` marked as needed whole. */
export const markWhole = (names: readonly string[], axis: number): string[] =>
  names.map((name, i) => (i === axis ? `${name}!` : name));

/** Numpy broadcasting of several shapes. Throws ShapeError naming both sides. */
export function broadcastShapes(op: string, ...shapes: readonly Shape[]): Shape {
  return shapes.reduce((left, right) => {
    const rank = Math.max(left.length, right.length);
    return Array.from({ length: rank }, (_, axis) => {
      const a = left[axis - rank + left.length] ?? 1;
      const b = right[axis - rank + right.length] ?? 1;
      check(
        a === b || a === 1 || b === 1,
        op,
        () => `cannot broadcast ${printShape(left)} with ${printShape(right)}`,
      );
      return a === 1 ? b : a;
    });
  });
}

/** i32 with i32 stays i32, anything with f32 is f32. */
export const promote = (...types: readonly TensorType[]): DType =>
  types.every((type) => type.dtype === 'i32') ? 'i32' : 'f32';

export const count = (shape: Shape): number =>
  shape.reduce<number>((product, extent) => {
    invariant(typeof extent === 'number', () => `extent ${extent} is not bound`);
    return product * extent;
  }, 1);

/** Row-major strides of `shape` seen as `target` by numpy broadcasting: 0 where it repeats. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const strides = new Array<number>(target.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] as number;
    if (extent !== 1) strides[axis + target.length - shape.length] = stride;
    stride *= extent;
  }
  return strides;
}

/** Calls `visit` for every index of `shape` in row-major order with the offsets that each stride vector gives it. */
export function forEachOffset(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (flat: number, offsets: readonly number[], index: readonly number[]) => void,
): void {
  const index = new Array<number>(shape.length).fill(0);
  const offsets = new Array<number>(strides.length).fill(0);
  const total = count(shape);
  for (let flat = 0; flat < total; flat++) {
    visit(flat, offsets, index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      const wraps = next === shape[axis];
      const steps = wraps ? 1 - next : 1;
      index[axis] = wraps ? 0 : next;
      for (let i = 0; i < strides.length; i++) {
        offsets[i] = (offsets[i] as number) + steps * (strides[i]?.[axis] as number);
      }
      if (!wraps) break;
    }
  }
}

/** Elementwise float64 evaluation with broadcasting. */
export function mapElements(
  operands: readonly RefTensor[],
  shape: readonly number[],
  f: (...values: number[]) => number,
): Float64Array {
  const out = new Float64Array(count(shape));
  const strides = operands.map((operand) => broadcastStrides(operand.shape, shape));
  forEachOffset(shape, strides, (flat, offsets) => {
    out[flat] = f(...operands.map((operand, i) => operand.data[offsets[i] as number] as number));
  });
  return out;
}

/** Calls `visit` for every line along `axis` of a row-major tensor: element i of it is at `start + i·stride`. */
export function forEachLine(
  shape: readonly number[],
  axis: number,
  visit: (line: number, start: number, stride: number, length: number) => void,
): void {
  const length = shape[axis] as number;
  const inner = count(shape.slice(axis + 1));
  const outer = count(shape.slice(0, axis));
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) visit(o * inner + i, o * length * inner + i, inner, length);
  }
}
