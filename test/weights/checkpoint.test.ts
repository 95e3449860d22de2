import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  encodeSafetensors,
  findCheckpoint,
  readCheckpoint,
  type WeightTensor,
} from '../../src/weights/index.ts';
import { messageOf } from './support.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'autochunk-weights-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const row = (...values: number[]): WeightTensor => ({
  dtype: 'f32',
  shape: [values.length],
  data: Float32Array.from(values),
});
const write = (name: string, content: string | Uint8Array): void =>
  writeFileSync(join(folder, name), content);
const writeShard = (name: string, tensors: Record<string, WeightTensor>): void =>
  write(name, encodeSafetensors(tensors));
const writeIndex = (map: Record<string, unknown>): void =>
  write('model.safetensors.index.json', JSON.stringify({ metadata: { total_size: 16 }, weight_map: map }));
/** The message without the scratch folder's name. */
const report = (): string => messageOf(() => readCheckpoint(folder)).replaceAll(folder, 'checkpoint');

describe('a checkpoint in several files', () => {
  test('reads like one file', () => {
    writeShard('model-00001-of-00002.safetensors', { a: row(1, 2) });
    writeShard('model-00002-of-00002.safetensors', { b: row(3), c: row(4) });
    writeIndex({
      a: 'model-00001-of-00002.safetensors',
      b: 'model-00002-of-00002.safetensors',
      c: 'model-00002-of-00002.safetensors',
    });
    const { tensors } = readCheckpoint(folder);
    expect([...tensors].map(([name, tensor]) => [name, [...tensor.load().data]])).toEqual([
      ['a', [1, 2]],
      ['b', [3]],
      ['c', [4]],
    ]);
  });

  test('one report of missing and damaged shards, misplaced and repeated tensors', () => {
    writeShard('1.safetensors', { a: row(1), b: row(2) });
    writeShard('2.safetensors', { a: row(1), d: row(3) });
    write('3.safetensors', new Uint8Array([1, 2, 3]));
    writeIndex({
      a: '1.safetensors',
      b: '2.safetensors',
      c: '1.safetensors',
      d: '2.safetensors',
      e: '3.safetensors',
      'h.0': '4.safetensors',
      'h.1': '4.safetensors',
      'h.2': '4.safetensors',
      'h.3': '4.safetensors',
      i: '5.safetensors',
    });
    expect(report()).toMatchInlineSnapshot(`
      "checkpoint/model.safetensors.index.json: the checkpoint is incomplete (2 of 5 shards can be read)
        missing shards (2):
          4.safetensors   (4 tensors: h.0, h.1, h.2, …)
          5.safetensors   (1 tensor: i)
        damaged shards (1):
          checkpoint/3.safetensors: truncated: 3 bytes, but a safetensors file starts with an 8-byte header length
        tensors not where the index says (2):
          b: not in 2.safetensors, but in 1.safetensors
          c: not in 1.safetensors
        tensors there twice (1):
          a: in 1.safetensors and in 2.safetensors"
    `);
  });

  test('an index that is none', () => {
    const name = 'model.safetensors.index.json';
    write(name, '{');
    expect(report()).toMatch(/^checkpoint\/model\.safetensors\.index\.json: not JSON \(/);
    write(name, '{"weights": {}}');
    expect(report()).toBe(
      `checkpoint/${name}: there is no "weight_map" of tensor names to files; this is not an index of shards`,
    );
    writeIndex({});
    expect(report()).toBe(`checkpoint/${name}: the "weight_map" is empty`);
    write(name, '{"weight_map": {"a": "1.safetensors", "a": "2.safetensors"}, "a": 1}');
    expect(report()).toBe(`checkpoint/${name}: tensor "a" is listed twice`);
    for (const shard of ['../secret.safetensors', '/etc/passwd', 'model.bin', 3, null]) {
      writeIndex({ a: shard });
      expect(report()).toBe(
        `checkpoint/${name}: tensor "a": expected the name of a .safetensors file beside the index, got ${JSON.stringify(shard)}`,
      );
    }
  });
});

describe('the weights of a folder', () => {
  test('one file, whatever its name; the usual name first', () => {
    writeShard('other.safetensors', { a: row(1) });
    expect(findCheckpoint(folder)).toEqual({ folder, weights: join(folder, 'other.safetensors') });
    writeShard('diffusion_pytorch_model.safetensors', { a: row(1) });
    expect(findCheckpoint(folder).weights).toBe(join(folder, 'diffusion_pytorch_model.safetensors'));
    writeShard('model.safetensors', { a: row(1) });
    expect(findCheckpoint(folder).weights).toBe(join(folder, 'model.safetensors'));
    expect(findCheckpoint(join(folder, 'other.safetensors')).folder).toBe(folder);
  });

  test('none, several, of another kind', () => {
    expect(report()).toBe(
      'checkpoint has no weights: expected model.safetensors or model.safetensors.index.json, it has no file',
    );
    write('config.json', '{}');
    expect(report()).toBe(
      'checkpoint has no weights: expected model.safetensors or model.safetensors.index.json, it has config.json',
    );
    write('pytorch_model.bin', '');
    expect(report()).toBe(
      'checkpoint has pytorch_model.bin, which cannot be read: expected model.safetensors or model.safetensors.index.json; most models are published as safetensors too',
    );
    writeShard('model-00001-of-00002.safetensors', { a: row(1) });
    writeShard('model-00002-of-00002.safetensors', { b: row(1) });
    expect(report()).toBe(
      'checkpoint has several .safetensors files and no index: model-00001-of-00002.safetensors, model-00002-of-00002.safetensors; name one, or download model.safetensors.index.json too',
    );
    expect(messageOf(() => readCheckpoint('no/such/folder'))).toBe(
      'there is no file or folder no/such/folder',
    );
  });
});
