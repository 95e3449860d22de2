import { type Code, type Int, integer, type Local, unsigned, type Value, type ValueType } from './code.ts';

/*
 * WebAssembly instructions as typed expressions: `i32.add(i, 1)` is a value, `set(i, i32.add(i, 1))` a statement. Numbers stand
 * for constants. Opcodes are those of the specification's index of instructions.
 */

type Float = Value<'f32'>;
type Vector = Value<'v128'>;

const value = <T extends ValueType>(type: T, ...code: Code): Value<T> => ({ type, code });
const binary =
  (opcode: number) =>
  (a: Int, b: Int): Value<'i32'> =>
    value('i32', integer(a), integer(b), opcode);

/** Alignment, as a power of two of bytes, and offset. */
const memory = (alignment: number, offset: number): Code => [alignment, unsigned(offset)];
const vector = (opcode: number): Code => [0xfd, unsigned(opcode)];
const vectors =
  (opcode: number) =>
  (...operands: readonly Vector[]): Vector =>
    value('v128', ...operands.map(({ code }) => code), vector(opcode));

const product = binary(0x6c);
const sum = binary(0x6a);

/** Integers wrap at 32 bits; comparisons are signed and give 0 or 1. */
export const i32 = {
  add: (...terms: readonly [Int, ...Int[]]): Value<'i32'> =>
    value('i32', integer(terms.reduce((a, b) => sum(a, b)))),
  sub: binary(0x6b),
  mul: (...factors: readonly [Int, ...Int[]]): Value<'i32'> =>
    value('i32', integer(factors.reduce((a, b) => product(a, b)))),
  div: binary(0x6e),
  rem: binary(0x70),
  eq: binary(0x46),
  ne: binary(0x47),
  lt: binary(0x48),
  le: binary(0x4c),
  ge: binary(0x4e),
  and: binary(0x71),
  or: binary(0x72),
  min: (a: Int, b: Int): Value<'i32'> => value('i32', integer(a), integer(b), integer(i32.lt(a, b)), 0x1b),
  max: (a: Int, b: Int): Value<'i32'> => value('i32', integer(b), integer(a), integer(i32.lt(a, b)), 0x1b),
  load: (address: Int, offset = 0): Value<'i32'> => value('i32', integer(address), 0x28, memory(2, offset)),
  store: (address: Int, what: Int, offset = 0): Code => [
    integer(address),
    integer(what),
    0x36,
    memory(2, offset),
  ],
};

export const f32 = {
  load: (address: Int, offset = 0): Float => value('f32', integer(address), 0x2a, memory(2, offset)),
  store: (address: Int, what: Float, offset = 0): Code => [
    integer(address),
    what.code,
    0x38,
    memory(2, offset),
  ],
};

export const v128 = {
  and: vectors(0x4e),
  zero: value('v128', vector(0x0c), new Array<number>(16).fill(0)),
  load: (address: Int, offset = 0): Vector =>
    value('v128', integer(address), vector(0x00), memory(2, offset)),
  /** One float in all lanes. */
  loadSplat: (address: Int, offset = 0): Vector =>
    value('v128', integer(address), vector(0x09), memory(2, offset)),
  /** `what` with lane `lane` loaded. */
  loadLane: (address: Int, what: Vector, lane: number, offset = 0): Vector =>
    value('v128', integer(address), what.code, vector(0x56), memory(2, offset), lane),
  store: (address: Int, what: Vector, offset = 0): Code => [
    integer(address),
    what.code,
    vector(0x0b),
    memory(2, offset),
  ],
  /** Stores lane `lane` alone. */
  storeLane: (address: Int, what: Vector, lane: number, offset = 0): Code => [
    integer(address),
    what.code,
    vector(0x5a),
    memory(2, offset),
    lane,
  ],
  /** (a, b, mask): a where the mask is set, else b. */
  select: vectors(0x52),
  /** Lanes 0 to 3 are of `a`, 4 to 7 of `b`. */
  shuffle: (a: Vector, b: Vector, lanes: readonly [number, number, number, number]): Vector =>
    value(
      'v128',
      a.code,
      b.code,
      vector(0x0d),
      lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)),
    ),
};

export const i32x4 = {
  splat: (of: Int): Vector => value('v128', integer(of), vector(0x11)),
  /** All ones in the lanes where a < b. */
  lt: vectors(0x39),
  constant: (...lanes: readonly [number, number, number, number]): Vector =>
    value('v128', vector(0x0c), [...new Uint8Array(Int32Array.of(...lanes).buffer)]),
};

export const f32x4 = {
  add: vectors(0xe4),
  mul: vectors(0xe6),
  sub: vectors(0xe5),
  div: vectors(0xe7),
  /** All ones in the lanes where a = b. */
  eq: vectors(0x41),
  /** Signed integers as floats. */
  convert: vectors(0xfa),
  /** (a, b): b where a < b, else a: one instruction, unlike a maximum that keeps NaN. */
  pmax: vectors(0xeb),
  constant: (lane: number): Vector =>
    value('v128', vector(0x0c), [...new Uint8Array(Float32Array.of(lane, lane, lane, lane).buffer)]),
  /** a · b + c, rounded once or twice as the machine does it fastest; only where relaxed SIMD is supported. */
  relaxedMadd: vectors(0x105),
};

/** What a local of a type may be set to. */
export type Assignable<T extends ValueType> = T extends 'i32' ? Int : Value<T>;

export const set = <T extends ValueType>(local: Local<T>, to: Assignable<T>): Code => [
  typeof to === 'number' ? integer(to) : (to as Value<T>).code,
  0x21,
  unsigned(local.index),
];

export const increase = (local: Local<'i32'>, by: Int): Code => set(local, i32.add(local, by));

const EMPTY_BLOCK = 0x40;

export const when = (condition: Int, then: Code, otherwise: Code = []): Code => [
  integer(condition),
  0x04,
  EMPTY_BLOCK,
  then,
  otherwise.length > 0 ? [0x05, otherwise] : [],
  0x0b,
];

/** At least once, and again while `condition` holds. */
export const repeatWhile = (condition: Int, body: Code): Code => [
  0x03,
  EMPTY_BLOCK,
  body,
  integer(condition),
  0x0d,
  0,
  0x0b,
];

/** For `i = from; i < to; i += step`. */
export const count = (i: Local<'i32'>, from: Int, to: Int, step: Int, body: Code): Code => [
  set(i, from),
  when(i32.lt(i, to), repeatWhile(i32.lt(i, to), [body, increase(i, step)])),
];
