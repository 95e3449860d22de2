import { UserError } from '../errors.ts';
import { elementsOf, MAX_I32, type WeightTensor } from './tensor.ts';

/** Tensors to write, by name. */
export type TensorsToWrite = ReadonlyMap<string, WeightTensor> | Readonly<Record<string, WeightTensor>>;

const STORED_AS = { f32: 'F32', i32: 'I32' } as const;

/**
 * The bytes of a safetensors file: F32 and I32 tensors in the given order, without gaps.
 *
 * @throws UserError when a tensor's data does not have the length of its shape, or an i32 element is not an integer
 *   of magnitude ≤ 2^24
 */
export function encodeSafetensors(
  tensors: TensorsToWrite,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const list: [string, WeightTensor][] = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata]);
  let end = 0;
  for (const [name, tensor] of list) {
    check(name, tensor);
    const begin = end;
    end += 4 * tensor.data.length;
    header.push([name, { dtype: STORED_AS[tensor.dtype], shape: tensor.shape, data_offsets: [begin, end] }]);
  }
  // Object.fromEntries defines even a tensor named `__proto__` as an ordinary key.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerBytes + end);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, 8, 8 + headerBytes);
  bytes.set(json, 8);
  let at = 8 + headerBytes;
  for (const [, { data, dtype }] of list) {
    for (const value of data) {
      if (dtype === 'i32') view.setInt32(at, value, true);
      else view.setFloat32(at, value, true);
      at += 4;
    }
  }
  return bytes;
}

function check(name: string, { data, dtype, shape }: WeightTensor): void {
  if (name === '__metadata__') throw new UserError('writeSafetensors: "__metadata__" cannot name a tensor');
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0))
    throw new UserError(`writeSafetensors: tensor "${name}" has the shape [${shape.join(', ')}]`);
  if (data.length !== elementsOf(shape))
    throw new UserError(
      `writeSafetensors: tensor "${name}" has ${data.length} elements, but [${shape.join(', ')}] takes ${elementsOf(shape)}`,
    );
  if (dtype !== 'i32') return;
  const wrong = data.findIndex((value) => !Number.isInteger(value) || Math.abs(value) > MAX_I32);
  if (wrong >= 0)
    throw new UserError(
      `writeSafetensors: tensor "${name}" element ${wrong} is ${data[wrong]}: i32 tensors hold integers of magnitude ≤ 2^24`,
    );
}
