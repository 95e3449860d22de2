import { add, div, einsum, matmul, mul, nn, permute, reshape, unsqueeze } from 'autochunk';
import { type EvoformerConfig, SHARED_SEQUENCES_EPSILON } from './config.ts';
import type { Msa, MsaMask, Pair } from './shapes.ts';

/** Algorithm 10: how residues i and j vary together, averaged over the sequences that have both. */
export function outerProductMean(m: Msa, mask: MsaMask, { c_hidden_opm, c_z }: EvoformerConfig): Pair {
  const sequences = nn.layerNorm('layer_norm', m);
  const present = unsqueeze(mask, 2);
  const a = mul(nn.linear('linear_1', sequences, c_hidden_opm), present);
  const b = mul(nn.linear('linear_2', sequences, c_hidden_opm), present);
  // [i, 1, c, s] · [1, j, s, d]: an outer product for every pair, summed over the sequences.
  const outer = matmul(unsqueeze(permute(a, [1, 2, 0]), 1), unsqueeze(permute(b, [1, 0, 2]), 0));
  const flat = reshape(outer, ['N_res', 'N_res', c_hidden_opm ** 2]);
  const shared = einsum('si,sj->ij', mask, mask);
  return div(nn.linear('linear_out', flat, c_z), unsqueeze(add(shared, SHARED_SEQUENCES_EPSILON), 2));
}
