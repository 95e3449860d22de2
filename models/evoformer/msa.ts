import { nn, permute, scope } from 'autochunk';
import { gatedAttention, maskBias, pairBias } from './attention.ts';
import type { EvoformerConfig } from './config.ts';
import type { Msa, MsaMask, Pair, Rows } from './shapes.ts';

/** Algorithm 7: every sequence attends to its own residues; the pair representation biases which. */
export function msaRowAttentionWithPairBias(m: Msa, z: Pair, mask: MsaMask, config: EvoformerConfig): Rows {
  const { no_heads_msa: heads, c_hidden_msa_att: channels } = config;
  const sequences = nn.layerNorm('layer_norm_m', m);
  const bias = pairBias('linear_z', nn.layerNorm('layer_norm_z', z), heads);
  return gatedAttention(sequences, [maskBias(mask), bias], { heads, channels });
}

/** Algorithm 8: every residue attends to the same residue of the other sequences. */
export function msaColumnAttention(m: Msa, mask: MsaMask, config: EvoformerConfig): Rows {
  const { no_heads_msa: heads, c_hidden_msa_att: channels } = config;
  const update = scope('_msa_att', () => {
    const columns = nn.layerNorm('layer_norm_m', permute(m, [1, 0, 2]));
    return gatedAttention(columns, [maskBias(permute(mask, [1, 0]))], { heads, channels });
  });
  return permute(update, [1, 0, 2]);
}
