/** The logits that follow a sequence of tokens: one number for every token of the vocabulary. */
export type NextLogits = (tokens: readonly number[]) => Promise<ArrayLike<number>>;

/**
 * Continues `prompt` by the likeliest token, `steps` times.
 *
 * @returns the prompt and its continuation
 */
export async function decodeGreedily(
  next: NextLogits,
  prompt: readonly number[],
  steps: number,
  onToken: (tokens: readonly number[]) => void = () => {},
): Promise<number[]> {
  const tokens = [...prompt];
  for (let step = 0; step < steps; step++) {
    tokens.push(argmax(await next(tokens)));
    onToken(tokens);
  }
  return tokens;
}

/** Index of the largest element; the first one of several. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}
