import type { CheckpointExtras } from './checkpoint-extras.ts';
import type { GivenInputs } from './inputs.ts';
import type { OutputTensor } from './outputs.ts';
import type { InputSpec } from './signature.ts';

/** The likeliest answers, and what they are. */
export interface Answers {
  readonly of: 'next token' | 'class';
  readonly list: readonly Prediction[];
}

/** One of the likeliest answers of a model: a token or a class. */
export interface Prediction {
  readonly id: number;
  /** The text of the token, or the name of the class. */
  readonly text: string;
  readonly probability: number;
}

const COUNT = 5;

/**
 * The likeliest entries of the last row of `logits`, likeliest first; among equals the lowest id.
 *
 * @param textOf the text of an id
 */
export function predict(logits: OutputTensor, textOf: (id: number) => string): Prediction[] {
  const size = logits.shape.at(-1) ?? 0;
  const row = logits.data.subarray(logits.data.length - size);
  const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = row.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return [...row.keys()]
    .sort((a, b) => (row[b] as number) - (row[a] as number) || a - b)
    .slice(0, COUNT)
    .map((id) => ({ id, text: textOf(id), probability: Math.exp((row[id] as number) - largest) / sum }));
}

/** The class names of a checkpoint's `config.json`, when it has one for each of `count` classes. */
export function classNames(config: Readonly<Record<string, unknown>>, count: number): string[] | undefined {
  const names = config.id2label;
  if (typeof names !== 'object' || names === null) return undefined;
  const list = Array.from({ length: count }, (_, id) => (names as Record<string, unknown>)[id]);
  return Object.keys(names).length === count && list.every((name) => typeof name === 'string')
    ? list
    : undefined;
}

/** The likeliest tokens after the given ones, or classes of the given image, where the checkpoint has names for them. */
export async function answers(
  { logits }: Readonly<Record<string, OutputTensor>>,
  inputs: readonly InputSpec[],
  given: GivenInputs,
  extras: CheckpointExtras,
): Promise<Answers | undefined> {
  const count = logits?.shape.at(-1) ?? 0;
  if (logits?.dtype !== 'f32' || count === 0) return undefined;
  const tokens = inputs.find(({ dtype }) => dtype === 'i32');
  const value = tokens && given.get(tokens.id);
  if (value && 'data' in value) {
    const codec = await extras.tokenizer();
    const previous = value.data[value.data.length - 1];
    return codec && { of: 'next token', list: predict(logits, (id) => codec.continuation(previous, id)) };
  }
  const names = classNames(extras.config, count);
  if (!names || logits.data.length !== count) return undefined;
  return { of: 'class', list: predict(logits, (id) => names[id] as string) };
}
