/** Types of locals and of what instructions leave on the stack. */
export type ValueType = 'i32' | 'f32' | 'v128';

/** Bytes of instructions, nested as they were put together. */
export type Code = readonly (number | Code)[];

/** Instructions that leave one value. */
export interface Value<T extends ValueType = ValueType> {
  readonly type: T;
  readonly code: Code;
}

/** A local of a function; as a value, what it holds. */
export interface Local<T extends ValueType = ValueType> extends Value<T> {
  readonly index: number;
}

/** Unsigned LEB128, which encodes sizes, indices and offsets. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

/** An integer, or a constant. */
export type Int = Value<'i32'> | number;

export const integer = (n: Int): Code => (typeof n === 'number' ? [0x41, signed(n)] : n.code);

/** Signed LEB128, which encodes constants. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  while (rest < -0x40 || rest > 0x3f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  return [...bytes, rest & 0x7f];
}
