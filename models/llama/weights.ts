import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readSafetensors, type Safetensors } from 'autochunk/weights';
import { parseTokenizer, type Tokenizer } from './tokenizer.ts';

export { weightNames } from './weight-names.ts';

const file = (name: string): string => fileURLToPath(new URL(`stories260K/${name}`, import.meta.url));

/** Everything about the 260K-parameter TinyStories model that is data. */
export interface Stories260K {
  readonly weights: Safetensors;
  readonly tokenizer: Tokenizer;
  /** What greedy decoding must tell in 200 steps. */
  readonly story: string;
  /** BOS and the 200 tokens of the story. */
  readonly storyTokens: readonly number[];
  /** Logits of the original implementation in float64 for `storyTokens`: [201, 512]. */
  readonly referenceLogits: Float32Array | Int32Array;
}

export function readStories260K(): Stories260K {
  const weights = readSafetensors(file('stories260K.safetensors'));
  const data = (name: string): Float32Array | Int32Array => {
    const tensor = weights.tensors.get(name);
    if (!tensor) throw new Error(`${weights.file} has no ${name}`);
    return tensor.load().data;
  };
  return {
    weights,
    tokenizer: parseTokenizer(readFileSync(file('tok512.bin')), 'tok512.bin'),
    story: readFileSync(file('expected-story.txt'), 'utf8'),
    storyTokens: [...data('input.tokens')],
    referenceLogits: data('output.logits'),
  };
}
