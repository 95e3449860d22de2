import {
  add,
  geglu,
  linear,
  nn,
  param,
  permute,
  reshape,
  scaledDotProductAttention,
  scope,
  type Tensor,
} from 'autochunk';
import type { UnetConfig } from './config.ts';
import type { Conditioning, EncoderTokens, Features } from './features.ts';

/** Pixels as tokens [B, height · width, channels]. */
type Pixels = Tensor<readonly ['B', string, number]>;

/** Attention among all pixels and to the encoder's tokens (`Transformer2DModel`, the paper's spatial transformer). */
export function spatialTransformer(
  name: string,
  x: Features,
  { encoder }: Conditioning,
  heads: number,
  config: UnetConfig,
): Features {
  const [, channels, height, width] = x.shape;
  return scope(name, () => {
    const normal = nn.groupNorm('norm', x, { groups: config.norm_num_groups, epsilon: 1e-6 });
    const pixels: Pixels = reshape(permute(normal, [0, 2, 3, 1]), ['B', -1, channels]) as Pixels;
    const projected = projection('proj_in', pixels, config);
    const attended = scope('transformer_blocks.0', () => transformerBlock(projected, encoder, heads));
    const back = reshape(projection('proj_out', attended, config), ['B', height, width, channels]);
    const features: Features = add(permute(back, [0, 3, 1, 2]), x);
    return features;
  });
}

/** A linear map of every pixel, which is what a 1 × 1 convolution is. */
function projection(name: string, x: Pixels, { use_linear_projection: isLinear }: UnetConfig): Pixels {
  const channels = x.shape[2];
  if (isLinear) return nn.linear(name, x, channels);
  return scope(name, () => {
    const weight = reshape(param('weight', [channels, channels, 1, 1]), [channels, channels]);
    const projected = linear(x, weight, param('bias', [channels]));
    return projected;
  });
}

/** Self-attention, cross-attention and a gated MLP (`BasicTransformerBlock`). */
function transformerBlock(x: Pixels, encoder: EncoderTokens, heads: number): Pixels {
  const selfInput = nn.layerNorm('norm1', x);
  const among = add(
    scope('attn1', () => attention(selfInput, selfInput, heads)),
    x,
  );
  const crossInput = nn.layerNorm('norm2', among);
  const informed = add(
    scope('attn2', () => attention(crossInput, encoder, heads)),
    among,
  );
  const mlpInput = nn.layerNorm('norm3', informed);
  const tokens = add(
    scope('ff', () => mlp(mlpInput)),
    informed,
  );
  return tokens;
}

/** Multi-head attention of pixels to `context`: the pixels themselves or the encoder's tokens. */
function attention(x: Pixels, context: Tensor<readonly ['B', string, number]>, count: number): Pixels {
  const channels = x.shape[2];
  const heads = (projection: string, of: Tensor<readonly ['B', string, number]>) => {
    const perToken = reshape(nn.linear(projection, of, channels, { bias: false }), [
      'B',
      of.shape[1],
      count,
      channels / count,
    ]);
    const perHead = permute(perToken, [0, 2, 1, 3]);
    return perHead;
  };
  const mixed = scaledDotProductAttention(heads('to_q', x), heads('to_k', context), heads('to_v', context));
  const merged = reshape(permute(mixed, [0, 2, 1, 3]), ['B', x.shape[1], channels]);
  const attended = nn.linear('to_out.0', merged, channels);
  return attended;
}

function mlp(x: Pixels): Pixels {
  const channels = x.shape[2];
  const both = nn.linear('net.0.proj', x, 8 * channels);
  const hidden = geglu(both);
  const output = nn.linear('net.2', hidden, channels);
  return output;
}
