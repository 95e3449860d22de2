import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import {
  encodeSafetensors,
  parseSafetensors,
  readSafetensors,
  type WeightTensor,
  writeSafetensors,
} from '../../src/weights/index.ts';
import { file, messageOf } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'autochunk-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

const f32 = (shape: unknown, begin: number, end: number, dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe('malformed files', () => {
  const tooLong = new Uint8Array(16);
  new DataView(tooLong.buffer).setBigUint64(0, 2n ** 60n, true);
  const beyond = new Uint8Array(16);
  new DataView(beyond.buffer).setBigUint64(0, 9n, true);

  test.each<[string, Uint8Array, string]>([
    [
      'empty file',
      new Uint8Array(0),
      'w: truncated: 0 bytes, but a safetensors file starts with an 8-byte header length',
    ],
    [
      'five bytes',
      new Uint8Array(5),
      'w: truncated: 5 bytes, but a safetensors file starts with an 8-byte header length',
    ],
    [
      'absurd header length',
      tooLong,
      'w: header length 1152921504606846976 is above 100 MB; this is not a safetensors file, or it is damaged',
    ],
    ['header beyond the file', beyond, 'w: truncated: the header takes 9 bytes, the file has 8 after it'],
    ['a list for a header', file([1]), 'w: the header is not a JSON object of tensors'],
    [
      'metadata that is not text',
      file({ __metadata__: { epoch: 3 } }),
      'w: "__metadata__" is not an object of strings',
    ],
    ['an entry that is no object', file({ a: 3 }), 'w: tensor "a": its header entry is not an object'],
    [
      'no dtype',
      file({ a: { shape: [], data_offsets: [0, 4] } }, 4),
      'w: tensor "a": dtype is missing or not a string',
    ],
    [
      'an unknown dtype',
      file({ a: f32([1], 0, 4, 'F31') }, 4),
      'w: tensor "a": unknown dtype "F31"; known: F32, F16, BF16, I32, I64',
    ],
    [
      'a dtype that is a method of objects',
      file({ a: f32([1], 0, 4, 'toString') }, 4),
      'w: tensor "a": unknown dtype "toString"; known: F32, F16, BF16, I32, I64',
    ],
    [
      'a negative extent',
      file({ a: f32([-1], 0, 4) }, 4),
      'w: tensor "a": shape [-1] is not a list of non-negative integers',
    ],
    [
      'a fractional extent',
      file({ a: f32([1.5], 0, 6) }, 6),
      'w: tensor "a": shape [1.5] is not a list of non-negative integers',
    ],
    [
      'a shape that is no list',
      file({ a: f32('2', 0, 8) }, 8),
      'w: tensor "a": shape "2" is not a list of non-negative integers',
    ],
    [
      'one offset',
      file({ a: { dtype: 'F32', shape: [1], data_offsets: [4] } }, 4),
      'w: tensor "a": data_offsets [4] is not a pair of non-negative integers',
    ],
    [
      'negative offsets',
      file({ a: f32([1], -4, 0) }, 4),
      'w: tensor "a": data_offsets [-4,0] is not a pair of non-negative integers',
    ],
    [
      'a length that is not that of the shape',
      file({ a: f32([2, 2], 0, 12) }, 12),
      'w: tensor "a": data_offsets [0, 12] span 12 bytes, but [2, 2] F32 takes 16',
    ],
    [
      'offsets backwards',
      file({ a: f32([1], 4, 0) }, 4),
      'w: tensor "a": data_offsets [4, 0] span -4 bytes, but [1] F32 takes 4',
    ],
    [
      'a shape whose size overflows',
      file({ a: f32([2 ** 40, 2 ** 40], 0, 4) }, 4),
      'w: tensor "a": data_offsets [0, 4] span 4 bytes, but [1099511627776, 1099511627776] F32 takes 4.835703278458517e+24',
    ],
    [
      'data cut off',
      file({ a: f32([2], 0, 8) }, 4),
      'w: truncated: tensor "a" ends at data byte 8, but the file has 4 bytes of data',
    ],
    [
      'overlap',
      file({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12),
      'w: tensor "b" starts at data byte 4 and overlaps tensor "a", which ends at 8',
    ],
    [
      'the same bytes twice',
      file({ a: f32([2], 0, 8), b: f32([2], 0, 8) }, 8),
      'w: tensor "b" starts at data byte 0 and overlaps tensor "a", which ends at 8',
    ],
    [
      'a gap',
      file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12),
      'w: 4 bytes between tensor "a" and tensor "b" belong to no tensor',
    ],
    [
      'a gap at the start',
      file({ a: f32([1], 4, 8) }, 8),
      'w: 4 bytes between the header and tensor "a" belong to no tensor',
    ],
    ['bytes left over', file({ a: f32([1], 0, 4) }, 7), 'w: 3 bytes after tensor "a" belong to no tensor'],
    [
      'a name twice',
      file(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        4,
      ),
      'w: tensor "a" is listed twice',
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes, 'w')).toThrow(UserError);
    expect(messageOf(() => parseSafetensors(bytes, 'w'))).toBe(message);
  });

  test('header that is not JSON or not UTF-8', () => {
    expect(messageOf(() => parseSafetensors(file('{"a":'), 'w'))).toMatch(
      /^w: the header is not JSON \(.+\)$/,
    );
    expect(messageOf(() => parseSafetensors(file('not json'), 'w'))).toMatch(
      /^w: the header is not JSON \(.+\)$/,
    );
    const bytes = file('{"abc":1}');
    bytes[10] = 0xff;
    expect(messageOf(() => parseSafetensors(bytes, 'w'))).toMatch(/^w: the header is not JSON \(.+\)$/);
  });

  test('damage never escapes as anything but a UserError', () => {
    const good = encodeSafetensors({
      a: { dtype: 'f32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
      b: { dtype: 'i32', shape: [2], data: Int32Array.of(7, 8) },
    });
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, byte, length) => {
        const bad = good.slice(0, length);
        if (at < length) bad[at] = byte;
        try {
          for (const tensor of parseSafetensors(bad).tensors.values()) tensor.load();
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
    );
  });

  test('files that cannot be opened, or shrink while they are read', () => {
    expect(messageOf(() => readSafetensors(join(folder, 'absent')))).toMatch(/^cannot read .*absent: ENOENT/);
    expect(messageOf(() => readSafetensors(folder))).toMatch(/^cannot read .*: EISDIR/);
    const path = join(folder, 'shrinks.safetensors');
    writeSafetensors(path, { a: { dtype: 'f32', shape: [4], data: new Float32Array(4) } });
    const { tensors } = readSafetensors(path);
    truncateSync(path, 70);
    expect(messageOf(() => tensors.get('a')?.load())).toBe(
      `${path}: the file became shorter while it was read`,
    );
  });
});

const load = (dtype: string, bytes: Uint8Array, count: number): WeightTensor =>
  parseSafetensors(file({ a: f32([count], 0, bytes.length, dtype) }, bytes), 'w')
    .tensors.get('a')
    ?.load() as WeightTensor;

const words = (data: Float32Array | Int32Array): Uint32Array =>
  new Uint32Array(data.buffer, data.byteOffset, data.length);

describe('element types', () => {
  test('every F16 has the value of its three fields', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const { data, dtype } = load('F16', new Uint8Array(halves.buffer), 65536);
    expect(dtype).toBe('f32');
    const wrong = [...halves].filter((half) => {
      const [exponent, mantissa] = [(half >> 10) & 31, half & 1023];
      const magnitude =
        exponent === 31
          ? mantissa === 0
            ? Infinity
            : NaN
          : exponent === 0
            ? mantissa * 2 ** -24
            : (1024 + mantissa) * 2 ** (exponent - 25);
      return !Object.is(data[half], half & 0x8000 ? -magnitude : magnitude);
    });
    expect(wrong).toEqual([]);
  });

  test('every BF16 is the upper half of its f32, bit for bit', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const { data } = load('BF16', new Uint8Array(halves.buffer), 65536);
    expect(words(data).every((word, i) => word === i * 65536)).toBe(true);
  });

  test('F32 keeps every bit, wherever the data starts', () => {
    const bits = Uint32Array.of(0, 0x80000000, 1, 0x7f800000, 0x7fc00001, 0xff812345, 0x3f800000);
    for (const pad of [0, 1, 2, 3]) {
      const header = { a: f32([7], 0, 28) };
      const bytes = file(JSON.stringify(header) + ' '.repeat(pad), new Uint8Array(bits.buffer));
      const { data } = parseSafetensors(bytes).tensors.get('a')!.load();
      expect([...words(data)]).toEqual([...bits]);
    }
  });

  test('integers, and those that do not fit', () => {
    const longs = new BigInt64Array([-(2n ** 24n), 0n, 2n ** 24n]);
    const { data, dtype } = load('I64', new Uint8Array(longs.buffer), 3);
    expect([dtype, ...data]).toEqual(['i32', -16777216, 0, 16777216]);
    expect([...load('I32', new Uint8Array(Int32Array.of(-5, 9).buffer), 2).data]).toEqual([-5, 9]);
    expect(messageOf(() => load('I64', new Uint8Array(new BigInt64Array([1n, 2n ** 40n]).buffer), 2))).toBe(
      'w: tensor "a": element 1 is 1099511627776: i32 tensors hold integers of magnitude ≤ 2^24 (16777216)',
    );
    expect(messageOf(() => load('I32', new Uint8Array(Int32Array.of(-16777217).buffer), 1))).toBe(
      'w: tensor "a": element 0 is -16777217: i32 tensors hold integers of magnitude ≤ 2^24 (16777216)',
    );
  });

  test('types of the format that have no exact conversion are refused when loaded, not before', () => {
    const parsed = parseSafetensors(file({ a: f32([1], 0, 8, 'F64'), b: f32([1], 8, 12) }, 12), 'w');
    expect(parsed.tensors.get('b')?.load().data[0]).toBe(0);
    expect(messageOf(() => parsed.tensors.get('a')?.load())).toBe(
      'w: tensor "a": F64 cannot be read; convert it to F32, F16, BF16, I32, I64',
    );
  });

  test('scalars, empty tensors and a file without tensors', () => {
    const parsed = parseSafetensors(file({ s: f32([], 0, 4), e: f32([3, 0], 4, 4) }, 4));
    expect(parsed.tensors.get('s')?.load().data).toHaveLength(1);
    expect(parsed.tensors.get('e')?.load().data).toHaveLength(0);
    expect(parseSafetensors(file({})).tensors.size).toBe(0);
  });
});

describe('writing', () => {
  test('what is written reads back, bit for bit', () => {
    const path = join(folder, 'round.safetensors');
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().filter((name) => name !== '__metadata__'),
          fc.oneof(
            fc
              .float32Array({ maxLength: 9 })
              .map((data): WeightTensor => ({ dtype: 'f32', shape: [data.length], data })),
            fc
              .int32Array({ min: -(2 ** 24), max: 2 ** 24, maxLength: 6 })
              .map((data): WeightTensor => ({ dtype: 'i32', shape: [1, data.length], data })),
          ),
        ),
        fc.dictionary(fc.string(), fc.string()),
        (tensors, metadata) => {
          writeSafetensors(path, tensors, metadata);
          const back = readSafetensors(path);
          expect(Object.entries(back.metadata).sort()).toEqual(Object.entries(metadata).sort());
          expect([...back.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
          for (const [name, tensor] of Object.entries(tensors)) {
            const loaded = back.tensors.get(name)?.load() as WeightTensor;
            expect([loaded.dtype, loaded.shape]).toEqual([tensor.dtype, tensor.shape]);
            expect([...words(loaded.data)]).toEqual([...words(tensor.data)]);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('inconsistent tensors are refused and leave the old file alone', () => {
    const path = join(folder, 'kept.safetensors');
    writeFileSync(path, 'old');
    const write = (tensor: WeightTensor) => messageOf(() => writeSafetensors(path, { a: tensor }));
    expect(write({ dtype: 'f32', shape: [2, 3], data: new Float32Array(5) })).toBe(
      'writeSafetensors: tensor "a" has 5 elements, but [2, 3] takes 6',
    );
    expect(write({ dtype: 'f32', shape: [-1], data: new Float32Array(1) })).toBe(
      'writeSafetensors: tensor "a" has the shape [-1]',
    );
    expect(write({ dtype: 'i32', shape: [1], data: Float32Array.of(0.5) })).toBe(
      'writeSafetensors: tensor "a" element 0 is 0.5: i32 tensors hold integers of magnitude ≤ 2^24',
    );
    expect(
      messageOf(() =>
        writeSafetensors(path, { __metadata__: { dtype: 'f32', shape: [0], data: new Float32Array() } }),
      ),
    ).toBe('writeSafetensors: "__metadata__" cannot name a tensor');
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  test('a folder that does not exist', () => {
    const path = join(folder, 'no', 'such.safetensors');
    expect(messageOf(() => writeSafetensors(path, {}))).toMatch(/^cannot write .*such\.safetensors: ENOENT/);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
