import { ConfigReader } from 'autochunk/weights';

/** Activations of the MLP under Hugging Face's names. */
const ACTIVATIONS = {
  gelu_new: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  gelu: 'gelu',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
} as const;
export type Activation = (typeof ACTIVATIONS)[keyof typeof ACTIVATIONS];

/** What a GPT-2 needs of a Hugging Face `config.json`, under the names there. */
export interface Gpt2Config {
  readonly vocab_size: number;
  readonly n_positions: number;
  readonly n_embd: number;
  readonly n_layer: number;
  readonly n_head: number;
  readonly layer_norm_epsilon: number;
  /** Channels inside the MLP; `4 · n_embd` when absent. */
  readonly n_inner?: number;
  /** `gelu-tanh` when absent. */
  readonly activation?: Activation;
  /** The classifier is the embedding table; true when absent. */
  readonly tie_word_embeddings?: boolean;
}

/**
 * Reads the parsed `config.json` of a GPT-2 checkpoint. Fields that it leaves out have the defaults of Hugging Face.
 *
 * @throws UserError naming every field that is wrong or not supported
 */
export function readGpt2Config(json: unknown, file?: string): Gpt2Config {
  const fields = new ConfigReader(json, ['gpt2'], file);
  const n_embd = fields.integer('n_embd', 768);
  const config: Gpt2Config = {
    vocab_size: fields.integer('vocab_size', 50257),
    n_positions: fields.integer('n_positions', 1024),
    n_embd,
    n_layer: fields.integer('n_layer', 12),
    n_head: fields.integer('n_head', 12),
    layer_norm_epsilon: fields.number('layer_norm_epsilon', 1e-5),
    n_inner: fields.integer('n_inner', 4 * n_embd),
    activation: fields.choice('activation_function', ACTIVATIONS, 'gelu_new'),
    tie_word_embeddings: fields.boolean('tie_word_embeddings', true),
  };
  if (n_embd % config.n_head !== 0)
    fields.reject('n_head', `${config.n_head} heads do not divide n_embd ${n_embd}`);
  fields.only('scale_attn_weights', [true], 'attention is scaled by 1/√(channels of a head)');
  fields.only('scale_attn_by_inverse_layer_idx', [false], 'attention is scaled alike in all layers');
  fields.only('add_cross_attention', [false], 'there is no encoder to attend to');
  fields.finish();
  return config;
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
