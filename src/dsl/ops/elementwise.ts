import type { Broadcast, Broadcastable, Known, Shape } from '../shape.ts';
import type { Operand, ShapeOf, Tensor } from '../tensor.ts';
import { emit, expectThat, finite } from './emit.ts';
import { scalar } from './generate.ts';

/** What a binary op on two operands gives. */
type Combined<A, B> = Tensor<Known<Broadcast<ShapeOf<A>, ShapeOf<B>>>>;
type Fits<Op extends string, A, B> = Broadcastable<Op, ShapeOf<A>, ShapeOf<B>>;

/** `with number on the right` and `number on the left` as ops of one tensor. */
function binary(op: string, a: Operand, b: Operand, right: string, left: string): Tensor<never> {
  if (typeof a === 'number') {
    expectThat(typeof b !== 'number', op, () => `expected a tensor, got the numbers ${a} and ${String(b)}`);
    return emit(left, [b as Tensor], { value: finite(op, a) });
  }
  return typeof b === 'number' ? emit(right, [a], { value: finite(op, b) }) : emit(op, [a, b]);
}

/** Element-wise sum, with numpy broadcasting. i32 with i32 stays i32; so for every binary op except div and pow. */
export function add<A extends Operand, B extends Operand>(a: A, b: B & Fits<'add', A, B>): Combined<A, B> {
  return binary('add', a, b, 'addScalar', 'addScalar');
}

/** Element-wise difference, with numpy broadcasting. */
export function sub<A extends Operand, B extends Operand>(a: A, b: B & Fits<'sub', A, B>): Combined<A, B> {
  return typeof b === 'number' && typeof a !== 'number'
    ? emit('addScalar', [a], { value: -finite('sub', b) })
    : binary('sub', a, b, 'addScalar', 'rsubScalar');
}

/** Element-wise product, with numpy broadcasting. */
export function mul<A extends Operand, B extends Operand>(a: A, b: B & Fits<'mul', A, B>): Combined<A, B> {
  return binary('mul', a, b, 'mulScalar', 'mulScalar');
}

/** Element-wise quotient (f32), with numpy broadcasting. */
export function div<A extends Operand, B extends Operand>(a: A, b: B & Fits<'div', A, B>): Combined<A, B> {
  return binary('div', a, b, 'divScalar', 'rdivScalar');
}

/** Element-wise power (f32), with numpy broadcasting. */
export function pow<A extends Operand, B extends Operand>(a: A, b: B & Fits<'pow', A, B>): Combined<A, B> {
  return typeof a === 'number' && typeof b !== 'number'
    ? emit('pow', [scalar(a, 'base'), b])
    : binary('pow', a, b, 'powScalar', 'powScalar');
}

/** Element-wise maximum, with numpy broadcasting. */
export function maximum<A extends Operand, B extends Operand>(
  a: A,
  b: B & Fits<'maximum', A, B>,
): Combined<A, B> {
  return binary('maximum', a, b, 'maximumScalar', 'maximumScalar');
}

/** Element-wise minimum, with numpy broadcasting. */
export function minimum<A extends Operand, B extends Operand>(
  a: A,
  b: B & Fits<'minimum', A, B>,
): Combined<A, B> {
  return binary('minimum', a, b, 'minimumScalar', 'minimumScalar');
}

/** 1 where a = b, else 0 (i32), with numpy broadcasting. */
export function equal<A extends Operand, B extends Operand>(
  a: A,
  b: B & Fits<'equal', A, B>,
): Combined<A, B> {
  return binary('equal', a, b, 'equalScalar', 'equalScalar');
}

/** 1 where a < b, else 0 (i32), with numpy broadcasting. */
export function less<A extends Operand, B extends Operand>(a: A, b: B & Fits<'less', A, B>): Combined<A, B> {
  return binary('less', a, b, 'lessScalar', 'greaterScalar');
}

/** 1 where a ≤ b, else 0 (i32), with numpy broadcasting. */
export function lessEqual<A extends Operand, B extends Operand>(
  a: A,
  b: B & Fits<'lessEqual', A, B>,
): Combined<A, B> {
  return binary('lessEqual', a, b, 'lessEqualScalar', 'greaterEqualScalar');
}

/** 1 where a > b, else 0 (i32), with numpy broadcasting. */
export function greater<A extends Operand, B extends Operand>(
  a: A,
  b: B & Fits<'greater', A, B>,
): Combined<A, B> {
  return binary('greater', a, b, 'greaterScalar', 'lessScalar');
}

/** 1 where a ≥ b, else 0 (i32), with numpy broadcasting. */
export function greaterEqual<A extends Operand, B extends Operand>(
  a: A,
  b: B & Fits<'greaterEqual', A, B>,
): Combined<A, B> {
  return binary('greaterEqual', a, b, 'greaterEqualScalar', 'lessEqualScalar');
}

const asTensor = (x: Operand): Tensor => (typeof x === 'number' ? scalar(x, 'fill') : x);

/** `a` where the condition is not 0, else `b`; all three broadcast. */
export function where<C extends Tensor, A extends Operand, B extends Operand>(
  condition: C,
  a: A & Fits<'where', C, A>,
  b: B & Fits<'where', Combined<C, A>, B>,
): Combined<Combined<C, A>, B> {
  return emit('where', [condition, asTensor(a), asTensor(b)]);
}

const unary =
  (op: string) =>
  <S extends Shape>(x: Tensor<S>): Tensor<S> =>
    emit(op, [x]);

/** -x */
export const neg = unary('neg');
/** |x| */
export const abs = unary('abs');
/** √x */
export const sqrt = unary('sqrt');
/** 1 / √x */
export const rsqrt = unary('rsqrt');
/** eˣ */
export const exp = unary('exp');
/** Natural logarithm. */
export const log = unary('log');
/** Sine of radians. */
export const sin = unary('sin');
/** Cosine of radians. */
export const cos = unary('cos');
/** Hyperbolic tangent. */
export const tanh = unary('tanh');
/** Error function. */
export const erf = unary('erf');
/** 1 / (1 + e⁻ˣ) */
export const sigmoid = unary('sigmoid');
/** x · sigmoid(x) */
export const silu = unary('silu');
/** max(x, 0) */
export const relu = unary('relu');
/** 1 / x */
export const reciprocal = unary('reciprocal');

/** Gaussian error linear unit: exact (`'erf'`, PyTorch's default) or GPT-2's `'tanh'` approximation. */
export function gelu<S extends Shape>(x: Tensor<S>, approximate: 'tanh' | 'erf' = 'erf'): Tensor<S> {
  return emit('gelu', [x], { tanh: approximate === 'tanh' });
}
