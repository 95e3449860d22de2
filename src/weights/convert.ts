import type { DType } from '../ir/node.ts';
import { MAX_I32 } from './tensor.ts';

/** How one element type of safetensors is stored and read. */
export interface Encoding {
  readonly bytes: number;
  readonly dtype: DType;
  /** Converts `count` little-endian elements; an element that does not fit is reported through `fault`. */
  readonly decode: (view: DataView, count: number, fault: Fault) => Float32Array | Int32Array;
}

export type Fault = (message: string) => never;

const ENCODINGS: Readonly<Record<string, Encoding>> = {
  F32: {
    bytes: 4,
    dtype: 'f32',
    decode: (view) =>
      new Float32Array(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer),
  },
  F16: {
    bytes: 2,
    dtype: 'f32',
    decode: (view, count) => floats(count, (i) => widenHalf(view.getUint16(2 * i, true))),
  },
  BF16: {
    bytes: 2,
    dtype: 'f32',
    decode: (view, count) => floats(count, (i) => view.getUint16(2 * i, true) << 16),
  },
  I32: {
    bytes: 4,
    dtype: 'i32',
    decode: (view, count, fault) => integers(count, (i) => view.getInt32(4 * i, true), fault),
  },
  I64: {
    bytes: 8,
    dtype: 'i32',
    decode: (view, count, fault) => integers(count, (i) => view.getBigInt64(8 * i, true), fault),
  },
};

const UNREAD_TYPES: Readonly<Record<string, number>> = {
  F64: 8,
  U64: 8,
  U32: 4,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
};

/** How the elements of a type are read, if they are. Conversions to f32 are exact, bit for bit, NaN payloads included. */
export const encodingOf = (type: string): Encoding | undefined =>
  Object.hasOwn(ENCODINGS, type) ? ENCODINGS[type] : undefined;

/** Bytes of an element of any type of the format, also of those that cannot be read. */
export const widthOf = (type: string): number | undefined =>
  encodingOf(type)?.bytes ?? (Object.hasOwn(UNREAD_TYPES, type) ? UNREAD_TYPES[type] : undefined);

export const READ_TYPES = Object.keys(ENCODINGS).join(', ');

function floats(count: number, bits: (i: number) => number): Float32Array {
  const words = new Uint32Array(count);
  for (let i = 0; i < count; i++) words[i] = bits(i);
  return new Float32Array(words.buffer);
}

function integers(count: number, at: (i: number) => number | bigint, fault: Fault): Int32Array {
  const values = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const value = at(i);
    if (value > MAX_I32 || value < -MAX_I32)
      fault(`element ${i} is ${value}: i32 tensors hold integers of magnitude ≤ 2^24 (${MAX_I32})`);
    values[i] = Number(value);
  }
  return values;
}

/** The value of an f16. */
export const halfToNumber = (half: number): number => {
  HALF.setInt32(0, widenHalf(half));
  return HALF.getFloat32(0);
};
const HALF = new DataView(new ArrayBuffer(4));

/** The bits of the f32 equal to an f16: 1 sign, 5 exponent (bias 15), 10 mantissa bits. */
function widenHalf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  // A subnormal m·2^-24 is normal in f32: shift its leading one out of the mantissa.
  const shift = Math.clz32(mantissa) - 21;
  return sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13);
}
