import { einsum, mul, nn, permute, sigmoid, unsqueeze } from 'autochunk';
import { gatedAttention, maskBias, pairBias } from './attention.ts';
import type { EvoformerConfig } from './config.ts';
import type { Pair, PairMask, Rows } from './shapes.ts';

/** Which edges of the triangle (i, j, k) update the edge ij: those that leave i and j, or those that reach them. */
export type Edges = 'outgoing' | 'incoming';

/** Algorithms 11 and 12: z_ij += Σ_k a_ik · b_jk (outgoing) or Σ_k a_ki · b_kj (incoming), gated. */
export function triangleMultiplication(z: Pair, mask: PairMask, config: EvoformerConfig, edges: Edges): Pair {
  const pairs = nn.layerNorm('layer_norm_in', z);
  const present = unsqueeze(mask, 2);
  const projection = (name: string): Pair => {
    const gate = sigmoid(nn.linear(`linear_${name}_g`, pairs, config.c_hidden_mul));
    const masked = mul(gate, present);
    const projected = mul(masked, nn.linear(`linear_${name}_p`, pairs, config.c_hidden_mul));
    return projected;
  };
  const a = projection('a');
  const b = projection('b');
  const triangles = einsum(edges === 'outgoing' ? 'ikc,jkc->ijc' : 'kic,kjc->ijc', a, b);
  const mixed = nn.linear('linear_z', nn.layerNorm('layer_norm_out', triangles), config.c_z);
  const gate = sigmoid(nn.linear('linear_g', pairs, config.c_z));
  return mul(mixed, gate);
}

/** Algorithm 13: the edge ij attends to the edges ik that start at i, biased by the third edge jk. */
export function triangleAttentionStartingNode(z: Pair, mask: PairMask, config: EvoformerConfig): Rows {
  const { no_heads_pair: heads, c_hidden_pair_att: channels } = config;
  const edges = nn.layerNorm('layer_norm', z);
  return gatedAttention(edges, [maskBias(mask), pairBias('linear', edges, heads)], { heads, channels });
}

/** Algorithm 14: the edge ij attends to the edges kj that end at j, which is algorithm 13 on the transposed pairs. */
export function triangleAttentionEndingNode(z: Pair, mask: PairMask, config: EvoformerConfig): Rows {
  const update = triangleAttentionStartingNode(permute(z, [1, 0, 2]), permute(mask, [1, 0]), config);
  return permute(update, [1, 0, 2]);
}
