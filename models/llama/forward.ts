import { loadModule } from 'autochunk';
import * as runtime from 'autochunk/runtime';
import type { WeightTensor } from 'autochunk/weights';

/** A generated Llama module with its parameters on a device. */
export interface Forward {
  /** Tokens of a pass. Fewer are padded: causal attention keeps what follows a token from mattering to it. */
  readonly length: number;
  /** Logits of every position, [length, vocab], and the peak of activation bytes on the way. */
  pass(tokens: readonly number[]): Promise<{ logits: Float32Array; peakBytes: number }>;
  /** Logits of the position of the last token. */
  next(tokens: readonly number[]): Promise<Float32Array>;
}

/** Loads the source of a generated module of `llama(…)` and uploads its parameters. */
export async function loadForward(
  device: runtime.Device,
  source: string,
  weights: ReadonlyMap<string, WeightTensor>,
): Promise<Forward> {
  const module = await loadModule(source, runtime);
  const params = runtime.loadParameters(device, module.info.params, weights);
  const length = module.info.dims.N as number;

  const run = async <Result>(
    tokens: readonly number[],
    read: (logits: runtime.Tensor) => Promise<Result>,
  ): Promise<Result> => {
    const padded = Array.from({ length }, (_, i) => tokens[i] ?? 0);
    const input = device.upload(padded, [length], 'i32');
    const { logits } = await module.run(device, { tokens: input }, params);
    try {
      return await read(logits as runtime.Tensor);
    } finally {
      logits?.free();
      input.free();
    }
  };

  return {
    length,
    async pass(tokens) {
      const { result, peakBytes } = await runtime.measure(device, () =>
        run(tokens, (logits) => device.read(logits)),
      );
      return { logits: result, peakBytes };
    },
    next: (tokens) => run(tokens, (logits) => device.read(logits.slice(0, tokens.length - 1, tokens.length))),
  };
}
