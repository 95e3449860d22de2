import {
  add,
  gelu,
  nn,
  permute,
  range,
  relu,
  reshape,
  scaledDotProductAttention,
  scope,
  silu,
  type Tensor,
} from 'autochunk';
import type { Activation, VitConfig } from './config.ts';

/** Activations [B, class token and patches, channels]. */
export type Tokens = Tensor<readonly ['B', number, number]>;

/** Equations 2 and 3 of the paper, once a layer. */
export function encoder(tokens: Tokens, config: VitConfig): Tokens {
  let x = tokens;
  for (const i of range(config.num_hidden_layers)) x = scope(`layer.${i}`, () => layer(x, config));
  return x;
}

function layer(x: Tokens, config: VitConfig): Tokens {
  const { layer_norm_eps: epsilon } = config;
  const attentionInput = nn.layerNorm('layernorm_before', x, { epsilon });
  const attended = add(
    x,
    scope('attention', () => attention(attentionInput, config)),
  );
  const mlpInput = nn.layerNorm('layernorm_after', attended, { epsilon });
  const tokens = add(attended, mlp(mlpInput, config));
  return tokens;
}

/** Multi-head self-attention: every token sees every other. */
function attention(x: Tokens, config: VitConfig): Tokens {
  const { hidden_size, num_attention_heads: count, qkv_bias: bias } = config;
  const tokens = x.shape[1];
  const heads = (projection: string) => {
    const perToken = reshape(nn.linear(`attention.${projection}`, x, hidden_size, { bias }), [
      'B',
      tokens,
      count,
      hidden_size / count,
    ]);
    const perHead = permute(perToken, [0, 2, 1, 3]);
    return perHead;
  };
  const context = scaledDotProductAttention(heads('query'), heads('key'), heads('value'));
  const merged = reshape(permute(context, [0, 2, 1, 3]), ['B', tokens, hidden_size]);
  const attended = nn.linear('output.dense', merged, hidden_size);
  return attended;
}

function mlp(x: Tokens, { hidden_size, intermediate_size, activation = 'gelu' }: VitConfig): Tokens {
  const hidden = nn.linear('intermediate.dense', x, intermediate_size);
  const active = ACTIVATE[activation](hidden);
  const output = nn.linear('output.dense', active, hidden_size);
  return output;
}

const ACTIVATE = {
  gelu: (x) => gelu(x),
  'gelu-tanh': (x) => gelu(x, 'tanh'),
  relu: (x) => relu(x),
  silu: (x) => silu(x),
} satisfies Record<Activation, (x: Tokens) => Tokens>;
