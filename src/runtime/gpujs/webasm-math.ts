import { type WasmFunctionEmitter, WasmModuleBuilder } from 'gpu.js/src/backend/web-assembly/wasm-builder.js';
import { invariant } from '../../errors.ts';
import { loadSplat } from './load-splat.ts';

/*
 * Elementary functions of four lanes in float32, within 2 ulp wherever the result is a normal number. The one-lane functions run the same code on a
 * splat, so that a lane and a lone element have the same bits. Polynomials are minimax fits, lowest power first.
 */

/** e^r = 1 + r + r²·p(r) on ±ln2/2. */
const EXP = [0.4999999404, 0.1666651517, 0.04166845605, 0.008369419724, 0.001381313894];
/** ln(1+f) = f - f²/2 + f³·p(f) for 1+f between √½ and √2. */
const LOG = [
  0.3333331347, -0.2500000894, 0.2000211924, -0.1666799784, 0.1421954781, -0.1240555868, 0.1188816801,
  -0.116758205, 0.06746828556,
];
/** tanh x = x + x³·p(x²) up to 5/8. */
const TANH = [-0.3333328068, 0.1333137304, -0.0537336953, 0.02061862312, -0.005681282841];
const TANH_SMALL = 0.625;

/** ln 2 in two parts; the first has so few bits that its product with an exponent is exact. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444005469057e-4;
/**
 * Below, e^x is smaller than any normal float, and 0 here as on many GPUs; above, it overflows. Numbers below the normal
 * ones take processors hundreds of cycles a time, and the tails of attention are full of them.
 */
const EXP_LOWEST = -87.33654;
const EXP_HIGHEST = 89;

const SMALLEST_NORMAL = 1.1754943508222875e-38;
/** The logarithm's polynomial takes significands from √½ to √2. */
const SQRT_HALF_BITS = 0x3f3504f3;
const SIGNIFICAND_BITS = 23;

/** Adding and subtracting it rounds a small number to an integer, which its last bits hold in between. */
const ROUNDING = 1.5 * 2 ** SIGNIFICAND_BITS;
const ROUNDING_BITS = 0x4b400000;

/**
 * The constants stand in memory, from this address on: engines load and spread one in less time than they take to build
 * it in a register.
 */
export const MATH_TABLE_ADDRESS = 896;
const TABLE = Float32Array.of(
  ...EXP,
  ...LOG,
  ...TANH,
  ...[LN2_HIGH, LN2_LOW, Math.LOG2E, EXP_LOWEST, EXP_HIGHEST, ROUNDING, 0.5, 1, 2],
);

/** Puts the constants where the functions look for them. */
export function writeMathTable(memory: ArrayBufferLike): void {
  new Float32Array(memory, MATH_TABLE_ADDRESS, TABLE.length).set(TABLE);
}

/** Pushes a constant of the table in all lanes. */
function floats(em: WasmFunctionEmitter, value: number): WasmFunctionEmitter {
  const index = TABLE.indexOf(Math.fround(value));
  invariant(index >= 0, `${value} is not in the table of constants`);
  em.i32Const(0);
  loadSplat(em, MATH_TABLE_ADDRESS + index * 4);
  return em;
}
const rare = (em: WasmFunctionEmitter, value: number): WasmFunctionEmitter =>
  em.v128ConstF32x4(value, value, value, value);
const integers = (em: WasmFunctionEmitter, value: number): WasmFunctionEmitter =>
  em.v128ConstI32x4(value, value, value, value);

/** Pushes c₀ + x·(c₁ + x·(c₂ + …)). */
function polynomial(em: WasmFunctionEmitter, x: number, coefficients: readonly number[]): void {
  const [highest, ...rest] = coefficients.toReversed() as [number, ...number[]];
  floats(em, highest);
  for (const coefficient of rest) {
    em.localGet(x).f32x4Mul();
    floats(em, coefficient).f32x4Add();
  }
}

/** Arguments that are never above 0 take fewer instructions, and have the same bits. */
function emitExp(em: WasmFunctionEmitter, x: number, { above0 = true } = {}): void {
  const vanishes = em.addLocal('v128');
  const clamped = em.addLocal('v128');
  const exponent = em.addLocal('v128');
  const r = em.addLocal('v128');
  const power = em.addLocal('v128');
  const half = em.addLocal('v128');
  // Lanes that vanish compute e^0 instead.
  em.localGet(x);
  floats(em, EXP_LOWEST).f32x4Lt().localSet(vanishes);
  em.localGet(x).localGet(vanishes).v128Andnot();
  // As no other minimum, this one is a single instruction, and keeps NaN.
  if (above0) floats(em, EXP_HIGHEST).f32x4Pmin();
  em.localTee(clamped);
  floats(em, Math.LOG2E).f32x4Mul();
  floats(em, ROUNDING).f32x4Add().localTee(power);
  floats(em, ROUNDING).f32x4Sub().localSet(exponent);
  em.localGet(clamped).localGet(exponent);
  floats(em, LN2_HIGH).f32x4Mul().f32x4Sub().localGet(exponent);
  floats(em, LN2_LOW).f32x4Mul().f32x4Sub().localSet(r);
  polynomial(em, r, EXP);
  em.localGet(r).localGet(r).f32x4Mul().f32x4Mul().localGet(r).f32x4Add();
  floats(em, 1).f32x4Add();
  em.localGet(power);
  integers(em, ROUNDING_BITS).i32x4Sub();
  const times2ToThe = (n: WasmFunctionEmitter): void => {
    n.i32Const(SIGNIFICAND_BITS).i32x4Shl();
    floats(em, 1).i32x4Add().f32x4Mul();
  };
  if (above0) {
    // In two steps: one factor alone may be too large for a float.
    em.localTee(power).i32Const(1).i32x4ShrS().localSet(half);
    times2ToThe(em.localGet(half));
    times2ToThe(em.localGet(power).localGet(half).i32x4Sub());
  } else times2ToThe(em);
  em.localGet(vanishes).v128Andnot();
}

function emitLog(em: WasmFunctionEmitter, x: number): void {
  const normal = em.addLocal('v128');
  const bits = em.addLocal('v128');
  const tiny = em.addLocal('v128');
  const exponent = em.addLocal('v128');
  const f = em.addLocal('v128');
  const square = em.addLocal('v128');
  em.localGet(x);
  rare(em, SMALLEST_NORMAL).f32x4Lt().localSet(tiny);
  em.localGet(x);
  rare(em, 2 ** SIGNIFICAND_BITS)
    .f32x4Mul()
    .localGet(x)
    .localGet(tiny)
    .v128Bitselect()
    .localSet(normal);
  // x = 2^exponent · (1 + f)
  em.localGet(normal);
  integers(em, SQRT_HALF_BITS).i32x4Sub().i32Const(SIGNIFICAND_BITS).i32x4ShrS().localSet(bits);
  em.localGet(normal).localGet(bits).i32Const(SIGNIFICAND_BITS).i32x4Shl().i32x4Sub();
  floats(em, 1).f32x4Sub().localSet(f);
  em.localGet(bits).localGet(tiny);
  integers(em, SIGNIFICAND_BITS).v128And().i32x4Sub().f32x4ConvertI32x4S().localSet(exponent);
  em.localGet(f).localGet(f).f32x4Mul().localSet(square);
  // Small parts first.
  em.localGet(f);
  polynomial(em, f, LOG);
  em.localGet(f).localGet(square).f32x4Mul().f32x4Mul();
  em.localGet(exponent);
  floats(em, LN2_LOW).f32x4Mul().f32x4Add().localGet(square);
  floats(em, 0.5).f32x4Mul().f32x4Sub().f32x4Add().localGet(exponent);
  floats(em, LN2_HIGH).f32x4Mul().f32x4Add().localSet(f);
  const where = (value: number, condition: () => void): void => {
    rare(em, value).localGet(f);
    condition();
    em.v128Bitselect().localSet(f);
  };
  where(-Infinity, () => {
    em.localGet(x);
    rare(em, 0).f32x4Eq();
  });
  where(NaN, () => {
    em.localGet(x);
    rare(em, 0).f32x4Ge().v128Not();
  });
  where(Infinity, () => {
    em.localGet(x);
    rare(em, Infinity).f32x4Eq();
  });
  em.localGet(f);
}

function emitTanh(em: WasmFunctionEmitter, x: number): void {
  const size = em.addLocal('v128');
  const square = em.addLocal('v128');
  em.localGet(x).localGet(x).f32x4Mul().localSet(square);
  em.localGet(x).f32x4Abs().localSet(size);
  polynomial(em, square, TANH);
  em.localGet(square).f32x4Mul().localGet(x).f32x4Mul().localGet(x).f32x4Add();
  // 1 - 2 / (e^2|x| + 1) with the sign of x.
  const twice = em.addLocal('v128');
  em.localGet(size).localGet(size).f32x4Add().localSet(twice);
  floats(em, 1);
  floats(em, 2);
  emitExp(em, twice);
  floats(em, 1).f32x4Add().f32x4Div().f32x4Sub().localGet(x);
  integers(em, -0x80000000).v128And().v128Or();
  em.localGet(size);
  rare(em, TANH_SMALL).f32x4Lt().v128Bitselect();
}

/** By name: pushes the function of the four lanes in a local. */
const OWN: ReadonlyMap<string, (em: WasmFunctionEmitter, x: number) => void> = new Map([
  ['exp', (em, x) => emitExp(em, x)],
  ['log', emitLog],
  ['tanh', emitTanh],
]);

/** Pushes `Math.exp` and the like of four lanes; false where we have no such function. `name` is that of the import. */
export function emitVectorMath(em: WasmFunctionEmitter, name: string, lanes: number): boolean {
  const emit = OWN.get(name.slice(PREFIX.length));
  emit?.(em, lanes);
  return emit !== undefined;
}

/**
 * The exponentials of the four lanes in local `x`, none of them above 0, for a function of a module that gpu.js does not make:
 * instructions that leave the result, and how many locals of four lanes they use, from `first` on.
 */
export function inlineExp(
  x: number,
  first: number,
): { readonly code: readonly number[]; readonly locals: number } {
  const params = new Array<'v128'>(first).fill('v128');
  const em = new WasmModuleBuilder().addFunction('exp', { params, results: ['v128'] });
  emitExp(em, x, { above0: false });
  return { code: em.bytes, locals: em.addLocal('v128') - first };
}

/** Adds the `Math.*` functions of one element to a module: our own where we have one, else an import of JavaScript's. */
export function addMath(module: WasmModuleBuilder, names: ReadonlySet<string>): void {
  const sorted = [...names].sort();
  for (const name of sorted.filter((name) => !OWN.has(name))) {
    const binary = name === 'pow' || name === 'atan2';
    module.addFuncImport(PREFIX + name, binary ? ['f32', 'f32'] : ['f32'], ['f32']);
  }
  for (const name of sorted.filter((name) => OWN.has(name))) {
    const em = module.addFunction(PREFIX + name, { params: ['f32'], results: ['f32'] });
    const lanes = em.addLocal('v128');
    em.localGet(0).f32x4Splat().localSet(lanes);
    emitVectorMath(em, PREFIX + name, lanes);
    em.f32x4ExtractLane(0);
  }
}

/** How gpu.js names the functions of `Math` in a module. */
const PREFIX = 'math_';
