import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTokenizer } from '../../models/llama/tokenizer.ts';
import { readSafetensors } from '../../src/weights/index.ts';

const folder = new URL('../../models/llama/stories260K/', import.meta.url);
const bytes = readFileSync(new URL('tok512.bin', folder));
const story = readFileSync(new URL('expected-story.txt', folder), 'utf8');
const tokenizer = parseTokenizer(bytes);

describe('the llama2.c tokenizer', () => {
  test("the story's token ids", () => {
    const ids = [
      ...readSafetensors(new URL('stories260K.safetensors', folder).pathname)
        .tensors.get('input.tokens')!
        .load().data,
    ];
    expect(tokenizer.vocab).toBe(512);
    expect(ids).toHaveLength(201);
    expect(tokenizer.decode(ids)).toBe(story);
    expect(tokenizer.encode('Once upon a time, there was a little girl named Lily.')).toEqual(
      ids.slice(0, 16),
    );
  });

  test('decode undoes encode, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  test('characters outside the vocabulary become bytes', () => {
    expect(tokenizer.encode('')).toEqual([1]);
    expect(tokenizer.encode('🙂').slice(-4)).toEqual(
      [...new TextEncoder().encode('🙂')].map((byte) => byte + 3),
    );
    expect(tokenizer.decode([1, 3 + 0xff])).toBe('\ufffd');
  });

  test('damaged files and unknown tokens', () => {
    expect(() => parseTokenizer(bytes.subarray(0, 6000), 'tok512.bin')).toThrow(
      /^tok512\.bin: truncated or damaged at token \d+ \(byte \d+\)$/,
    );
    expect(() => parseTokenizer(bytes.subarray(0, 4), 'tok512.bin')).toThrow(
      'tok512.bin: 0 tokens, but a llama2.c tokenizer has <unk>, <s>, </s> and 256 bytes before its pieces',
    );
    expect(() => tokenizer.decode([512])).toThrow('decode: token 512 is not below 512');
  });
});
