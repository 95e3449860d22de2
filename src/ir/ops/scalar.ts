import type { DType, TensorType } from '../node.ts';
import { elementwise } from './elementwise.ts';
import type { OpDef } from './op.ts';
import { mapElements, numberAttr, take } from './support.ts';

type Result = 'keeps i32' | 'f32' | 'i32';
type Row = readonly [summary: string, result: Result, apply: (x: number, c: number) => number];

const truth = (value: boolean): number => (value ? 1 : 0);

/** Ops of a tensor with the JavaScript number in attribute `value`. */
const SCALAR: Readonly<Record<string, Row>> = {
  addScalar: ['x + c', 'keeps i32', (x, c) => x + c],
  mulScalar: ['x · c', 'keeps i32', (x, c) => x * c],
  divScalar: ['x / c', 'f32', (x, c) => x / c],
  powScalar: ['xᶜ', 'f32', (x, c) => x ** c],
  maximumScalar: ['max(x, c)', 'keeps i32', Math.max],
  minimumScalar: ['min(x, c)', 'keeps i32', Math.min],
  rsubScalar: ['c - x', 'keeps i32', (x, c) => c - x],
  rdivScalar: ['c / x', 'f32', (x, c) => c / x],
  equalScalar: ['x = c', 'i32', (x, c) => truth(x === c)],
  lessScalar: ['x < c', 'i32', (x, c) => truth(x < c)],
  lessEqualScalar: ['x ≤ c', 'i32', (x, c) => truth(x <= c)],
  greaterScalar: ['x > c', 'i32', (x, c) => truth(x > c)],
  greaterEqualScalar: ['x ≥ c', 'i32', (x, c) => truth(x >= c)],
};

const BINARY_COMPARISONS: Readonly<Record<string, readonly [string, (a: number, b: number) => boolean]>> = {
  equal: ['a = b', (a, b) => a === b],
  less: ['a < b', (a, b) => a < b],
  lessEqual: ['a ≤ b', (a, b) => a <= b],
  greater: ['a > b', (a, b) => a > b],
  greaterEqual: ['a ≥ b', (a, b) => a >= b],
};

const resultType = (result: Result, x: TensorType, value: number): DType =>
  result === 'keeps i32' ? (x.dtype === 'i32' && Number.isInteger(value) ? 'i32' : 'f32') : result;

const scalarOps: readonly OpDef[] = Object.entries(SCALAR).map(([name, [summary, result, apply]]) => {
  const { shapeOf, ...shared } = elementwise(name, 1, name === 'powScalar' ? 8 : 1);
  return {
    ...shared,
    summary,
    infer(operands, attrs) {
      const [x] = take(name, operands, 1);
      return { shape: shapeOf(operands), dtype: resultType(result, x, numberAttr(attrs, 'value')) };
    },
    reference(operands, attrs, shape) {
      // Kernels receive the number as float32.
      const value = Math.fround(numberAttr(attrs, 'value'));
      return mapElements(operands, shape, (x) => apply(x as number, value));
    },
  };
});

const comparisonOps: readonly OpDef[] = Object.entries(BINARY_COMPARISONS).map(([name, [summary, holds]]) => {
  const { shapeOf, ...shared } = elementwise(name, 2, 1);
  return {
    ...shared,
    summary: `1 where ${summary}, else 0`,
    infer: (operands) => ({ shape: shapeOf(operands), dtype: 'i32' }),
    reference: (operands, _attrs, shape) =>
      mapElements(operands, shape, (a, b) => truth(holds(a as number, b as number))),
  };
});

export const scalarAndComparisonOps: readonly OpDef[] = [...scalarOps, ...comparisonOps];
