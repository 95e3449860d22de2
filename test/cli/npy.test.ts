import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readNpy } from '../../src/cli/npy.ts';

const folder = mkdtempSync(join(tmpdir(), 'autochunk-npy-'));
afterAll(() => rmSync(folder, { recursive: true }));

function npy(header: string, data: Uint8Array, version = 1): string {
  const text = `${header}\n`;
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(text.length);
  else length.writeUInt32LE(text.length);
  const magic = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  const path = join(folder, 'x.npy');
  writeFileSync(path, Buffer.concat([magic, length, Buffer.from(text), data]));
  return path;
}
const header = (descr: string, shape: string, fortran = 'False'): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test.each<[string, Uint8Array, number[]]>([
  ['<f2', bytes(0x00, 0x3c, 0x01, 0x80), [1, -(2 ** -24)]],
  ['>f2', bytes(0xc0, 0x00, 0x7c, 0x00), [-2, Number.POSITIVE_INFINITY]],
  ['<f4', new Uint8Array(Float32Array.of(1.5, -2).buffer), [1.5, -2]],
  ['<f8', new Uint8Array(Float64Array.of(0.1, 2).buffer), [0.1, 2]],
  ['<i8', new Uint8Array(BigInt64Array.of(-3n, 5n).buffer), [-3, 5]],
  ['<u8', new Uint8Array(BigUint64Array.of(3n, 50000n).buffer), [3, 50000]],
  ['>i2', bytes(0xff, 0xfe, 0x01, 0x00), [-2, 256]],
  ['|u1', bytes(0, 255), [0, 255]],
  ['|b1', bytes(0, 1), [0, 1]],
])('numbers of type %s', (type, data, values) => {
  expect(readNpy(npy(header(type, '(2,)'), data))).toEqual({ shape: [2], data: Float64Array.from(values) });
});

test('shapes of any rank, both header versions', () => {
  expect(readNpy(npy(header('|u1', '()'), bytes(7)))).toEqual({ shape: [], data: Float64Array.of(7) });
  expect(readNpy(npy(header('|u1', '(2, 1, 3)'), bytes(1, 2, 3, 4, 5, 6), 2)).shape).toEqual([2, 1, 3]);
});

test('damaged files say what is wrong', () => {
  const message =
    (text: string, data = bytes()) =>
    () =>
      readNpy(npy(text, data));
  expect(message(header('<f4', '(2,)'), bytes(1, 2, 3))).toThrow('x.npy: [2] takes 8 bytes, the file has 3');
  expect(message(header('|S4', '(2,)'))).toThrow("x.npy: numbers expected, the dtype is '|S4'");
  expect(message(header('<f4', '(2, 2)', 'True'))).toThrow('x.npy: column-major arrays are not read');
  expect(message("{'descr': '<f4'}")).toThrow('x.npy: the header has no shape');
  expect(message('')).toThrow('x.npy: numbers expected, the dtype is missing');
});
