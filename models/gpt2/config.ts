/** The fields of a Hugging Face `config.json` that a GPT-2 needs, under their names there. */
export interface Gpt2Config {
  readonly vocab_size: number;
  readonly n_positions: number;
  readonly n_embd: number;
  readonly n_layer: number;
  readonly n_head: number;
  readonly layer_norm_epsilon: number;
}

const published = { vocab_size: 50257, n_positions: 1024, layer_norm_epsilon: 1e-5 } as const;

/** Two layers with random weights: small enough to check every number of it (`test/fixtures/gpt2-tiny.safetensors`). */
export const GPT2_TINY: Gpt2Config = {
  vocab_size: 128,
  n_positions: 96,
  n_embd: 64,
  n_layer: 2,
  n_head: 4,
  layer_norm_epsilon: 1e-5,
};
/** 124M parameters. */
export const GPT2_SMALL: Gpt2Config = { ...published, n_embd: 768, n_layer: 12, n_head: 12 };
/** 355M parameters. */
export const GPT2_MEDIUM: Gpt2Config = { ...published, n_embd: 1024, n_layer: 24, n_head: 16 };
/** 774M parameters. */
export const GPT2_LARGE: Gpt2Config = { ...published, n_embd: 1280, n_layer: 36, n_head: 20 };
/** 1.5B parameters. */
export const GPT2_XL: Gpt2Config = { ...published, n_embd: 1600, n_layer: 48, n_head: 25 };
/** The small one with more positions than were ever trained. */
export const GPT2_LONG: Gpt2Config = { ...GPT2_SMALL, n_positions: 16384 };
