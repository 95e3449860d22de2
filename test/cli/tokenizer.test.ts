import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/cli/text/tokenizer.ts';
import { readSafetensors } from '../../src/weights/index.ts';
import { huggingFaceTokenizer } from '../support/hf-tokenizer.ts';
import { root } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'autochunk-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the tokenizer.json of stories260K, made from tok512.bin', async () => {
  const stories = join(root, 'models/llama/stories260K');
  writeFileSync(
    join(folder, 'tokenizer.json'),
    JSON.stringify(huggingFaceTokenizer(join(stories, 'tok512.bin'))),
  );
  const codec = await loadTokenizer(folder);
  const ids = [
    ...readSafetensors(join(stories, 'stories260K.safetensors')).tensors.get('input.tokens')!.load().data,
  ];

  test('the ids of llama2.c, with its start token', () => {
    expect(codec.encode('Once upon a time, there was a little girl named Lily.')).toEqual(ids.slice(0, 16));
  });

  test('token by token, the text with its spaces', () => {
    const words = ids.slice(1, 16).map((id, i) => codec.continuation(ids[i], id));
    expect(words.join('')).toMatch(/^ ?Once upon a time, there was a little girl named Lily\.$/);
    expect(codec.continuation(undefined, ids[1] as number).trim()).toBe('Once');
  });
});

test('byte-level pairs, as GPT-2 has them', async () => {
  // Bytes that are no printable characters stand for themselves 256 places on: a space is Ġ.
  const vocab = ['Ġ', 'h', 'i', 'hi', 'Ġhi', 'Ã', '¤', 'Ã¤', '!'];
  writeFileSync(
    join(folder, 'byte-level.json'),
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
      post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true },
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(vocab.map((piece, id) => [piece, id])),
        merges: ['h i', 'Ġ hi', 'Ã ¤'],
      },
    }),
  );
  const codec = await loadTokenizer(join(folder, 'byte-level.json'));
  expect(codec.encode('hi hi!ä')).toEqual([3, 4, 8, 7]);
  expect([codec.continuation(3, 4), codec.continuation(3, 3), codec.continuation(4, 7)]).toEqual([
    ' hi',
    'hi',
    'ä',
  ]);
});
