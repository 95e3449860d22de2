import {
  add,
  type Dim,
  defineModel,
  gelu,
  i32,
  linear,
  nn,
  param,
  permute,
  range,
  relu,
  reshape,
  scaledDotProductAttention,
  scope,
  silu,
  slice,
  split,
  type Tensor,
} from 'autochunk';
import {
  type Activation,
  GPT2_LARGE,
  GPT2_LONG,
  GPT2_MEDIUM,
  GPT2_SMALL,
  GPT2_TINY,
  GPT2_XL,
  type Gpt2Config,
  readGpt2Config,
} from './config.ts';

export { weightNames } from './weights.ts';

/** Activations of N tokens. */
type Tokens = Tensor<readonly ['N', number]>;

export interface Gpt2Options {
  /** Positions whose logits are returned: all N, or the last one, which is what generating text needs. */
  readonly logits?: 'all' | 'last';
}

/**
 * GPT-2 (Radford et al. 2019): learned positions, pre-LayerNorm blocks, tanh GELU, classifier tied to the embedding.
 * Parameters have the names and orientation of the published files.
 */
export const gpt2 = (name: string, config: Gpt2Config, options: Gpt2Options = {}) =>
  defineModel(name, { tokens: i32('N') }, ({ tokens }) => {
    const { vocab_size, n_positions, n_embd, n_layer, layer_norm_epsilon: epsilon } = config;
    let x: Tokens = add(
      nn.embedding('wte', tokens, [vocab_size, n_embd]),
      nn.positions('wpe', 'N', [n_positions, n_embd]),
    );
    for (const i of range(n_layer)) x = scope(`h.${i}`, () => block(x, config));
    const last: Tensor<readonly [Dim, number]> = options.logits === 'last' ? slice(x, 0, -1) : x;
    const hidden = nn.layerNorm('ln_f', last, { epsilon });
    const head = config.tie_word_embeddings === false ? 'lm_head.weight' : 'wte.weight';
    return { logits: linear(hidden, param(head, [vocab_size, n_embd])) };
  });

function block(x: Tokens, config: Gpt2Config): Tokens {
  const epsilon = config.layer_norm_epsilon;
  const attentionInput = nn.layerNorm('ln_1', x, { epsilon });
  const attended = add(
    x,
    scope('attn', () => attention(attentionInput, config)),
  );
  const mlpInput = nn.layerNorm('ln_2', attended, { epsilon });
  return add(
    attended,
    scope('mlp', () => mlp(mlpInput, config)),
  );
}

/** Multi-head self-attention: each head sees its own slice of the channels, and only earlier tokens. */
function attention(x: Tokens, { n_embd, n_head }: Gpt2Config): Tokens {
  const qkv = nn.linear('c_attn', x, 3 * n_embd, { transposed: true });
  const heads = (t: Tokens) => {
    const perToken = reshape(t, ['N', n_head, n_embd / n_head]);
    return permute(perToken, [1, 0, 2]);
  };
  const [queries, keys, values] = split(qkv, 3, 1);
  const context = scaledDotProductAttention(heads(queries), heads(keys), heads(values), { causal: true });
  const merged = reshape(permute(context, [1, 0, 2]), ['N', n_embd]);
  return nn.linear('c_proj', merged, n_embd, { transposed: true });
}

function mlp(x: Tokens, { n_embd, n_inner = 4 * n_embd, activation = 'gelu-tanh' }: Gpt2Config): Tokens {
  const hidden = activate(nn.linear('c_fc', x, n_inner, { transposed: true }), activation);
  return nn.linear('c_proj', hidden, n_embd, { transposed: true });
}

function activate(x: Tokens, activation: Activation): Tokens {
  switch (activation) {
    case 'gelu-tanh':
      return gelu(x, 'tanh');
    case 'gelu':
      return gelu(x);
    case 'relu':
      return relu(x);
    case 'silu':
      return silu(x);
  }
}

/** Random weights, for tests: logits of all positions. */
export const gpt2Tiny = gpt2('gpt2-tiny', GPT2_TINY);

/** The published sizes return the logits of the last position: all N of 50257 would be most of the memory. */
export const gpt2Small = gpt2('gpt2', GPT2_SMALL, { logits: 'last' });
/** The small one with the logits of all positions, for scoring a text. */
export const gpt2SmallAllLogits = gpt2('gpt2-all-logits', GPT2_SMALL);
export const gpt2Medium = gpt2('gpt2-medium', GPT2_MEDIUM, { logits: 'last' });
export const gpt2Large = gpt2('gpt2-large', GPT2_LARGE, { logits: 'last' });
export const gpt2Xl = gpt2('gpt2-xl', GPT2_XL, { logits: 'last' });
/** The small one with room for long sequences, for studying memory; there are no weights for it. */
export const gpt2Long = gpt2('gpt2-long', GPT2_LONG, { logits: 'last' });

/**
 * The model that a checkpoint's parsed `config.json` describes: logits of the last position.
 *
 * @param file name for messages
 * @throws UserError naming every field that is wrong or not supported
 */
export const fromConfig = (json: unknown, file?: string) =>
  gpt2('gpt2', readGpt2Config(json, file), { logits: 'last' });

/** Like {@link fromConfig}, with the logits of all positions. */
export const fromConfigAllLogits = (json: unknown, file?: string) =>
  gpt2('gpt2-all-logits', readGpt2Config(json, file));

export default gpt2Small;
