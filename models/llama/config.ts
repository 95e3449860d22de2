import { ConfigReader } from 'autochunk/weights';
import type { RopeScaling } from './rope-scaling.ts';

/** Activations of the gate under Hugging Face's names. */
const ACTIVATIONS = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_new: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  relu: 'relu',
} as const;
export type Activation = (typeof ACTIVATIONS)[keyof typeof ACTIVATIONS];

/** The fields of a Hugging Face `config.json` that a Llama needs, under their names there. */
export interface LlamaConfig {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  /** Fewer than the query heads in grouped-query attention. */
  readonly num_key_value_heads: number;
  /** `hidden_size / num_attention_heads` when absent. */
  readonly head_dim?: number;
  readonly max_position_embeddings: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly rope_scaling?: RopeScaling | null;
  /** The classifier is the embedding table. */
  readonly tie_word_embeddings: boolean;
  readonly attention_bias?: boolean;
  readonly mlp_bias?: boolean;
  /** Of the gate; `silu` when absent. */
  readonly activation?: Activation;
}

/**
 * Reads the parsed `config.json` of a Llama checkpoint. Fields that it leaves out have the defaults of Hugging Face.
 *
 * @throws UserError naming every field that is wrong or not supported
 */
export function readLlamaConfig(json: unknown, file?: string): LlamaConfig {
  const fields = new ConfigReader(json, ['llama'], file);
  const hidden_size = fields.integer('hidden_size', 4096);
  const heads = fields.integer('num_attention_heads', 32);
  const keyHeads = fields.integer('num_key_value_heads', heads);
  const rope = readRope(fields);
  if (fields.raw('head_dim') === undefined && hidden_size % heads !== 0)
    fields.reject('num_attention_heads', `${heads} heads do not divide hidden_size ${hidden_size}`);
  if (heads % keyHeads !== 0)
    fields.reject('num_key_value_heads', `${keyHeads} do not divide ${heads} attention heads`);
  const config: LlamaConfig = {
    vocab_size: fields.integer('vocab_size', 32000),
    hidden_size,
    intermediate_size: fields.integer('intermediate_size', 11008),
    num_hidden_layers: fields.integer('num_hidden_layers', 32),
    num_attention_heads: heads,
    num_key_value_heads: keyHeads,
    head_dim: fields.integer('head_dim', Math.max(1, Math.floor(hidden_size / heads))),
    max_position_embeddings: fields.integer('max_position_embeddings', 2048),
    rms_norm_eps: fields.number('rms_norm_eps', 1e-6),
    ...rope,
    tie_word_embeddings: fields.boolean('tie_word_embeddings', false),
    attention_bias: fields.boolean('attention_bias', false),
    mlp_bias: fields.boolean('mlp_bias', false),
    activation: fields.choice('hidden_act', ACTIVATIONS, 'silu'),
  };
  if ((config.head_dim as number) % 2 !== 0)
    fields.reject('head_dim', `${config.head_dim} is odd; rotary positions turn pairs of channels`);
  fields.only('partial_rotary_factor', [1], 'all channels of a head are rotated');
  fields.finish();
  return config;
}

/** `rope_theta` and `rope_scaling`, or both in `rope_parameters`, as newer files have them. */
function readRope(fields: ConfigReader): Pick<LlamaConfig, 'rope_theta' | 'rope_scaling'> {
  const name = fields.raw('rope_parameters') === undefined ? 'rope_scaling' : 'rope_parameters';
  const group = fields.group(name);
  const rope_theta = group.number('rope_theta', fields.number('rope_theta', 10000));
  const kinds = { default: 'default', linear: 'linear', llama3: 'llama3' } as const;
  // Older files call it `type`.
  const kind = group.choice(group.raw('rope_type') === undefined ? 'type' : 'rope_type', kinds, 'default');
  if (kind === 'default') return { rope_theta, rope_scaling: null };
  const factor = group.number('factor');
  if (kind === 'linear') return { rope_theta, rope_scaling: { rope_type: 'linear', factor } };
  const low_freq_factor = group.number('low_freq_factor');
  const high_freq_factor = group.number('high_freq_factor');
  if (group.raw('high_freq_factor') !== undefined && high_freq_factor <= low_freq_factor)
    group.reject('high_freq_factor', `${high_freq_factor} is not above low_freq_factor ${low_freq_factor}`);
  return {
    rope_theta,
    rope_scaling: {
      rope_type: 'llama3',
      factor,
      low_freq_factor,
      high_freq_factor,
      original_max_position_embeddings: group.integer('original_max_position_embeddings'),
    },
  };
}

/** Andrej Karpathy's 260K-parameter TinyStories model; its weights are in `stories260K/`. */
export const STORIES_260K: LlamaConfig = {
  vocab_size: 512,
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
};

/** TinyLlama 1.1B: eight query heads share each pair of key and value. */
export const TINY_LLAMA_1B: LlamaConfig = {
  vocab_size: 32000,
  hidden_size: 2048,
  intermediate_size: 5632,
  num_hidden_layers: 22,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: false,
};

/** Llama 2 7B: every query head has its own key and value. */
export const LLAMA2_7B: LlamaConfig = {
  vocab_size: 32000,
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: false,
};

/** Llama 3.2 1B: rotary frequencies stretched to 128K positions. */
export const LLAMA32_1B: LlamaConfig = {
  vocab_size: 128256,
  hidden_size: 2048,
  intermediate_size: 8192,
  num_hidden_layers: 16,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  max_position_embeddings: 131072,
  rms_norm_eps: 1e-5,
  rope_theta: 500000,
  rope_scaling: {
    rope_type: 'llama3',
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  },
  tie_word_embeddings: true,
};
