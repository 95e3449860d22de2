import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseLlama2c, readSafetensors } from '../../src/weights/index.ts';
import { messageOf } from './support.ts';

const folder = new URL('../../models/llama/stories260K/', import.meta.url);
const path = (name: string) => new URL(name, folder).pathname;
const checkpoint = readFileSync(path('stories260K.bin'));

describe('llama2.c checkpoint', () => {
  test('its header', () => {
    expect(parseLlama2c(checkpoint).config).toEqual({
      dim: 64,
      hiddenDim: 172,
      layers: 5,
      heads: 8,
      kvHeads: 4,
      vocab: 512,
      sequence: 512,
      tied: true,
    });
  });

  test('holds the tensors of the safetensors file, bit for bit', () => {
    const { tensors } = parseLlama2c(checkpoint);
    const reference = readSafetensors(path('stories260K.safetensors')).tensors;
    const weights = [...reference.keys()].filter((name) => !/^(input|output)\./.test(name));
    expect([...tensors.keys()].sort()).toEqual(weights.sort());
    expect(weights).toHaveLength(47);
    for (const name of weights) {
      const [ours, theirs] = [tensors.get(name)?.load(), reference.get(name)?.load()];
      expect(ours?.shape, name).toEqual(theirs?.shape);
      expect(Buffer.from(ours!.data.buffer).equals(Buffer.from(theirs!.data.buffer)), name).toBe(true);
    }
  });

  test('a classifier of its own follows the rotary tables', () => {
    const ints = Int32Array.of(4, 2, 1, 2, 1, -3, 5);
    const floats = 12 + 4 + 16 + 8 + 8 + 16 + 4 + 8 + 8 + 8 + 4 + 10 + 12;
    const bytes = new Uint8Array(28 + 4 * floats);
    bytes.set(new Uint8Array(ints.buffer));
    new DataView(bytes.buffer).setFloat32(bytes.length - 4, 9, true);
    const { config, tensors } = parseLlama2c(bytes);
    expect(config.tied).toBe(false);
    expect(tensors.get('lm_head.weight')?.shape).toEqual([3, 4]);
    expect(tensors.get('lm_head.weight')?.load().data[11]).toBe(9);
  });

  test('damaged files', () => {
    expect(messageOf(() => parseLlama2c(checkpoint.subarray(0, 9), 'm.bin'))).toBe(
      'm.bin: truncated: 9 bytes, the header takes 28',
    );
    expect(messageOf(() => parseLlama2c(checkpoint.subarray(0, 5000), 'm.bin'))).toMatch(
      /^m\.bin: 5000 bytes, but the header \{"dim":64,.*\} takes 1056540$/,
    );
    expect(messageOf(() => parseLlama2c(new Uint8Array(28), 'm.bin'))).toMatch(
      /is not one of a version-0 llama2\.c checkpoint$/,
    );
  });
});
