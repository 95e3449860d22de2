import { readFileSync } from 'node:fs';
import { UserError } from '../errors.ts';
import { halfToNumber } from '../weights/convert.ts';

export interface NpyArray {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Float64Array;
}

type Read = (view: DataView, at: number, little: boolean) => number;
const TYPES: Readonly<Record<string, { bytes: number; read: Read }>> = {
  f2: { bytes: 2, read: (view, at, little) => halfToNumber(view.getUint16(at, little)) },
  f4: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  f8: { bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
  i1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  i2: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  i4: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  i8: { bytes: 8, read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  u1: { bytes: 1, read: (view, at) => view.getUint8(at) },
  u2: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  u4: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  u8: { bytes: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  b1: { bytes: 1, read: (view, at) => view.getUint8(at) },
};

/**
 * Reads a numpy `.npy` file of numbers.
 *
 * @throws UserError naming the file when it is not one, is truncated, has an unknown dtype or is in Fortran order.
 */
export function readNpy(path: string): NpyArray {
  const bytes = readFileSync(path);
  const fault = (what: string): UserError => new UserError(`${path}: ${what}`);
  if (bytes.length < 10 || bytes.toString('latin1', 0, 6) !== '\u0093NUMPY') throw fault('not a .npy file');
  const wide = bytes[6] !== 1;
  const start = wide ? 12 : 10;
  if (bytes.length < start) throw fault('the header is cut off');
  const end = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
  if (bytes.length < end) throw fault('the header is cut off');
  const header = bytes.toString('latin1', start, end);
  const [, order, code] = /'descr':\s*'([<>|=])([a-z]\d+)'/.exec(header) ?? [];
  const type = TYPES[code ?? ''];
  if (!type)
    throw fault(`numbers expected, the dtype is ${/'descr':\s*([^,]*)/.exec(header)?.[1] ?? 'missing'}`);
  if (/'fortran_order':\s*True/.test(header))
    throw fault('column-major arrays are not read; save np.ascontiguousarray(x)');
  const extents = /'shape':\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (extents === undefined) throw fault('the header has no shape');
  const shape = extents
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map(Number);
  const count = shape.reduce((a, b) => a * b, 1);
  if (bytes.length - end !== count * type.bytes) {
    throw fault(
      `[${shape.join(', ')}] takes ${count * type.bytes} bytes, the file has ${bytes.length - end}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + end);
  const data = Float64Array.from({ length: count }, (_, i) => type.read(view, i * type.bytes, order !== '>'));
  return { shape, data };
}
