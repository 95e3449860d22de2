/** A field of a protocol buffers message: an integer, the bytes of a length-delimited one, or four bytes. */
export interface Field {
  readonly number: number;
  readonly value: bigint | Uint8Array;
}

/** Reads a message as the specification of the encoding has it (wire types 0, 2 and 5). */
export function readFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(bytes[at++] as number);
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return BigInt.asIntN(64, value);
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [number, wire] = [tag >> 3, tag & 7];
    if (wire === 0) {
      fields.push({ number, value: varint() });
    } else {
      const length = wire === 5 ? 4 : Number(varint());
      if (wire !== 5 && wire !== 2) throw new Error(`wire type ${wire}`);
      fields.push({ number, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  if (at !== bytes.length) throw new Error(`${bytes.length} bytes, read ${at}`);
  return fields;
}

const all = (bytes: Uint8Array, number: number): Field['value'][] =>
  readFields(bytes).flatMap((field) => (field.number === number ? [field.value] : []));

export const messages = (bytes: Uint8Array, number: number): Uint8Array[] =>
  all(bytes, number) as Uint8Array[];
export const integers = (bytes: Uint8Array, number: number): number[] =>
  all(bytes, number).map((value) => Number(value));
export const texts = (bytes: Uint8Array, number: number): string[] =>
  messages(bytes, number).map((value) => new TextDecoder().decode(value));
