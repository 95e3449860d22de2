import {
  add,
  type Dim,
  defineModel,
  gelu,
  i32,
  linear,
  mul,
  nn,
  param,
  permute,
  type RopeTables,
  range,
  relu,
  reshape,
  ropeTables,
  rotary,
  scaledDotProductAttention,
  scope,
  silu,
  slice,
  type Tensor,
} from 'autochunk';
import {
  type Activation,
  LLAMA2_7B,
  LLAMA32_1B,
  type LlamaConfig,
  readLlamaConfig,
  STORIES_260K,
  TINY_LLAMA_1B,
} from './config.ts';
import { scaleFrequencies } from './rope-scaling.ts';

export { weightNames } from './weight-names.ts';

/** Activations of N tokens. */
type Tokens = Tensor<readonly ['N', number]>;

export interface LlamaOptions {
  /** Positions whose logits are returned: all N (the default), or the last one, which is what generating text needs. */
  readonly logits?: 'all' | 'last';
}

/**
 * Llama (Touvron et al. 2023): rotary positions, RMSNorm before each part of a block, a gated SiLU MLP, and
 * grouped-query attention. Parameters have the names of Hugging Face's files.
 */
export const llama = (name: string, config: LlamaConfig, options: LlamaOptions = {}) =>
  defineModel(name, { tokens: i32('N') }, ({ tokens }) => {
    const { vocab_size, hidden_size, rms_norm_eps: epsilon } = config;
    const hidden = scope('model', () => {
      let x: Tokens = nn.embedding('embed_tokens', tokens, [vocab_size, hidden_size]);
      const rope = rotaryTables(config);
      for (const i of range(config.num_hidden_layers)) x = scope(`layers.${i}`, () => block(x, rope, config));
      const last: Tensor<readonly [Dim, number]> = options.logits === 'last' ? slice(x, 0, -1) : x;
      return nn.rmsNorm('norm', last, { epsilon });
    });
    const head = config.tie_word_embeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
    return { logits: linear(hidden, param(head, [vocab_size, hidden_size])) };
  });

/** Cosines and sines of N positions, shared by all layers. */
function rotaryTables(config: LlamaConfig): RopeTables {
  const { rope_theta: theta, rope_scaling: stretch } = config;
  const scaling = (frequencies: readonly number[]) =>
    stretch ? scaleFrequencies(frequencies, stretch) : frequencies;
  return ropeTables('N', headDim(config), { theta, scaling });
}

function block(x: Tokens, rope: RopeTables, config: LlamaConfig): Tokens {
  const epsilon = config.rms_norm_eps;
  const attentionInput = nn.rmsNorm('input_layernorm', x, { epsilon });
  const attended = add(
    x,
    scope('self_attn', () => attention(attentionInput, rope, config)),
  );
  const mlpInput = nn.rmsNorm('post_attention_layernorm', attended, { epsilon });
  return add(
    attended,
    scope('mlp', () => mlp(mlpInput, config)),
  );
}

/** Causal self-attention over rotated queries and keys; several query heads share a key and value head. */
function attention(x: Tokens, rope: RopeTables, config: LlamaConfig): Tokens {
  const { hidden_size, num_attention_heads, num_key_value_heads, attention_bias: bias = false } = config;
  const channels = headDim(config);
  const heads = (projection: string, count: number) => {
    const perToken = reshape(nn.linear(projection, x, count * channels, { bias }), ['N', count, channels]);
    return permute(perToken, [1, 0, 2]);
  };
  const queries = rotary(heads('q_proj', num_attention_heads), rope);
  const keys = rotary(heads('k_proj', num_key_value_heads), rope);
  const values = heads('v_proj', num_key_value_heads);
  const context = scaledDotProductAttention(queries, keys, values, { causal: true });
  const merged = reshape(permute(context, [1, 0, 2]), ['N', num_attention_heads * channels]);
  return nn.linear('o_proj', merged, hidden_size, { bias });
}

/** A gated MLP: down(silu(gate(x)) · up(x)), silu or another activation. */
function mlp(x: Tokens, config: LlamaConfig): Tokens {
  const { hidden_size, intermediate_size, mlp_bias: bias = false, activation = 'silu' } = config;
  const gate = nn.linear('gate_proj', x, intermediate_size, { bias });
  const up = nn.linear('up_proj', x, intermediate_size, { bias });
  const gated = mul(activate(gate, activation), up);
  return nn.linear('down_proj', gated, hidden_size, { bias });
}

function activate(x: Tokens, activation: Activation): Tokens {
  switch (activation) {
    case 'silu':
      return silu(x);
    case 'gelu':
      return gelu(x);
    case 'gelu-tanh':
      return gelu(x, 'tanh');
    case 'relu':
      return relu(x);
  }
}

const headDim = (config: LlamaConfig): number =>
  config.head_dim ?? config.hidden_size / config.num_attention_heads;

/** Logits of all positions: checked against the original implementation at each. */
export const stories260K = llama('llama', STORIES_260K);
/** The published sizes return the logits of the last position: those of all N would be most of the memory. */
export const tinyLlama1B = llama('tinyllama-1.1b', TINY_LLAMA_1B, { logits: 'last' });
export const llama2_7B = llama('llama-2-7b', LLAMA2_7B, { logits: 'last' });
export const llama32_1B = llama('llama-3.2-1b', LLAMA32_1B, { logits: 'last' });

/**
 * The model that a checkpoint's parsed `config.json` describes: logits of the last position.
 *
 * @param file name for messages
 * @throws UserError naming every field that is wrong or not supported
 */
export const fromConfig = (json: unknown, file?: string) =>
  llama('llama', readLlamaConfig(json, file), { logits: 'last' });

/** Like {@link fromConfig}, with the logits of all positions. */
export const fromConfigAllLogits = (json: unknown, file?: string) =>
  llama('llama-all-logits', readLlamaConfig(json, file));

export default stories260K;
