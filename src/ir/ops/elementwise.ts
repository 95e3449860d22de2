import { divDims, printShape } from '../dims.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import {
  axes,
  axisNames,
  broadcastShapes,
  count,
  mapElements,
  numberAttr,
  promote,
  take,
} from './support.ts';

/** Relative cost of one element, in floating-point operations. */
const SIMPLE = 1;
const TRANSCENDENTAL = 8;

interface ElementwiseRow {
  readonly summary: string;
  readonly flops: number;
  /** i32 operands give an i32 result. */
  readonly integer: boolean;
  readonly apply: (...values: number[]) => number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Error function: a series of positive terms, exact to rounding; ±1 in float64 beyond 6. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const geluTanh = (x: number): number =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const geluErf = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));

const row = (
  summary: string,
  flops: number,
  apply: (...values: number[]) => number,
  integer = false,
): ElementwiseRow => ({ summary, flops, apply, integer });

const UNARY: Readonly<Record<string, ElementwiseRow>> = {
  neg: row('-x', SIMPLE, (x) => -(x as number), true),
  abs: row('|x|', SIMPLE, (x) => Math.abs(x as number), true),
  relu: row('max(x, 0)', SIMPLE, (x) => Math.max(x as number, 0), true),
  sqrt: row('√x', TRANSCENDENTAL, (x) => Math.sqrt(x as number)),
  rsqrt: row('1 / √x', TRANSCENDENTAL, (x) => 1 / Math.sqrt(x as number)),
  exp: row('eˣ', TRANSCENDENTAL, (x) => Math.exp(x as number)),
  log: row('natural logarithm', TRANSCENDENTAL, (x) => Math.log(x as number)),
  sin: row('sine', TRANSCENDENTAL, (x) => Math.sin(x as number)),
  cos: row('cosine', TRANSCENDENTAL, (x) => Math.cos(x as number)),
  tanh: row('hyperbolic tangent', TRANSCENDENTAL, (x) => Math.tanh(x as number)),
  erf: row('error function', TRANSCENDENTAL, (x) => erf(x as number)),
  sigmoid: row('1 / (1 + e⁻ˣ)', TRANSCENDENTAL, (x) => sigmoid(x as number)),
  silu: row('x · sigmoid(x)', TRANSCENDENTAL, (x) => (x as number) * sigmoid(x as number)),
  reciprocal: row('1 / x', SIMPLE, (x) => 1 / (x as number)),
};

const BINARY: Readonly<Record<string, ElementwiseRow>> = {
  add: row('a + b', SIMPLE, (a, b) => (a as number) + (b as number), true),
  sub: row('a - b', SIMPLE, (a, b) => (a as number) - (b as number), true),
  mul: row('a · b', SIMPLE, (a, b) => (a as number) * (b as number), true),
  div: row('a / b', SIMPLE, (a, b) => (a as number) / (b as number)),
  pow: row('aᵇ', TRANSCENDENTAL, (a, b) => (a as number) ** (b as number)),
  expSub: row('e to the power a - b', TRANSCENDENTAL, (a, b) => Math.exp((a as number) - (b as number))),
  maximum: row('max(a, b)', SIMPLE, (a, b) => Math.max(a as number, b as number), true),
  minimum: row('min(a, b)', SIMPLE, (a, b) => Math.min(a as number, b as number), true),
};

/** Elements come one from each operand, after broadcasting. */
export const pointwisePattern: NonNullable<OpDef['access']> = (operands, _attrs, out) => {
  const names = axisNames(out.shape.length);
  const side = operands.map((operand) => axes(names.slice(names.length - operand.shape.length)));
  return pattern(
    `${side.join(', ')} -> ${axes(names)}`,
    operands.map((operand) => operand.shape),
    out.shape,
  );
};

/** The parts that every op that maps elements one to one (after broadcasting) shares. */
export function elementwise(
  op: string,
  arity: 1 | 2 | 3,
  flopsPerElement: number,
): Pick<OpDef, 'name' | 'pointwise' | 'access' | 'flops' | 'inPlace'> & {
  shapeOf: (shapes: Parameters<OpDef['infer']>[0]) => ReturnType<typeof broadcastShapes>;
} {
  return {
    name: op,
    pointwise: true,
    shapeOf: (operands) => broadcastShapes(op, ...take(op, operands, arity).map((operand) => operand.shape)),
    access: pointwisePattern,
    flops: (_operands, _attrs, out) => flopsPerElement * count(out.shape),
    inPlace: Array.from({ length: arity }, (_, i) => i),
  };
}

function fromTable(table: Readonly<Record<string, ElementwiseRow>>, arity: 1 | 2): OpDef[] {
  return Object.entries(table).map(([name, { summary, flops, integer, apply }]) => {
    const { shapeOf, ...shared } = elementwise(name, arity, flops);
    return {
      ...shared,
      summary,
      infer: (operands) => ({
        shape: shapeOf(operands),
        dtype: integer ? promote(...operands) : 'f32',
      }),
      reference: (operands, _attrs, shape) => mapElements(operands, shape, apply),
    };
  });
}

const { shapeOf: geluShape, ...geluShared } = elementwise('gelu', 1, TRANSCENDENTAL);
const gelu: OpDef = {
  ...geluShared,
  summary: 'Gaussian error linear unit, exact or in its tanh approximation',
  defaults: { tanh: false },
  infer: (operands) => ({ shape: geluShape(operands), dtype: 'f32' }),
  reference: (operands, attrs, shape) =>
    mapElements(operands, shape, (x) => (attrs.tanh ? geluTanh : geluErf)(x as number)),
};

const { shapeOf: clampShape, ...clampShared } = elementwise('clamp', 1, 2 * SIMPLE);
const clamp: OpDef = {
  ...clampShared,
  summary: 'min(max(x, min), max)',
  infer(operands, attrs) {
    const [x] = take('clamp', operands, 1);
    const [min, max] = [numberAttr(attrs, 'min'), numberAttr(attrs, 'max')];
    check(min <= max, 'clamp', () => `expected min ≤ max, got ${min} and ${max}`);
    const whole = x.dtype === 'i32' && Number.isInteger(min) && Number.isInteger(max);
    return { shape: clampShape(operands), dtype: whole ? 'i32' : 'f32' };
  },
  reference(operands, attrs, shape) {
    // Kernels receive the bounds as float32.
    const [min, max] = [Math.fround(numberAttr(attrs, 'min')), Math.fround(numberAttr(attrs, 'max'))];
    return mapElements(operands, shape, (x) => Math.min(Math.max(x as number, min), max));
  },
};

const { shapeOf: leakyShape, ...leakyShared } = elementwise('leakyRelu', 1, SIMPLE);
const leakyRelu: OpDef = {
  ...leakyShared,
  summary: 'x where it is positive, else x · slope',
  defaults: { slope: 0.01 },
  infer: (operands) => ({ shape: leakyShape(operands), dtype: 'f32' }),
  reference(operands, attrs, shape) {
    const slope = Math.fround(numberAttr(attrs, 'slope'));
    return mapElements(operands, shape, (x) => ((x as number) >= 0 ? x : (x as number) * slope) as number);
  },
};

const geglu: OpDef = {
  name: 'geglu',
  summary: 'first half of the last axis times the exact gelu of the second half',
  infer(operands) {
    const [x] = take('geglu', operands, 1);
    const half = divDims(x.shape.at(-1) ?? 1, 2);
    check(
      half !== undefined,
      'geglu',
      () => `expected a last axis of even extent, got ${printShape(x.shape)}`,
    );
    return { shape: [...x.shape.slice(0, -1), half], dtype: 'f32' };
  },
  access(operands, _attrs, out) {
    const lead = axes(axisNames(out.shape.length - 1));
    return pattern(
      `${lead} (half! channel) -> ${lead} channel`,
      operands.map((operand) => operand.shape),
      out.shape,
      { extents: { half: 2 } },
    );
  },
  flops: (_operands, _attrs, out) => (TRANSCENDENTAL + SIMPLE) * count(out.shape),
  reference(operands, _attrs, shape) {
    const [x] = take('geglu', operands, 1);
    const half = shape.at(-1) as number;
    return new Float64Array(count(shape)).map((_, flat) => {
      const at = Math.floor(flat / half) * 2 * half + (flat % half);
      return (x.data[at] as number) * geluErf(x.data[at + half] as number);
    });
  },
};

const { shapeOf: copyShape, ...copyShared } = elementwise('copy', 1, 0);
const copy: OpDef = {
  ...copyShared,
  summary: 'the same elements in a contiguous storage',
  infer: (operands) => ({ shape: copyShape(operands), dtype: promote(...operands) }),
  reference: (operands) => Float64Array.from(take('copy', operands, 1)[0].data),
};

const { shapeOf: whereShape, ...whereShared } = elementwise('where', 3, SIMPLE);
const where: OpDef = {
  ...whereShared,
  summary: 'a where the condition is not 0, else b',
  infer: (operands) => ({ shape: whereShape(operands), dtype: promote(...operands.slice(1)) }),
  reference: (operands, _attrs, shape) =>
    mapElements(operands, shape, (condition, a, b) => (condition !== 0 ? a : b) as number),
};

export const elementwiseOps: readonly OpDef[] = [
  ...fromTable(UNARY, 1),
  gelu,
  clamp,
  leakyRelu,
  geglu,
  ...fromTable(BINARY, 2),
  where,
  copy,
];
