import { ALPHAFOLD2 } from '../../models/evoformer/config.ts';
import { evoformerBlock, evoformerPairStack } from '../../models/evoformer/model.ts';

/**
 * One block at a quarter of AlphaFold 2's channels, with its number of heads: 128 residues have the proportion of
 * attention scores to pair representation that 512 have at full width.
 */
export default evoformerBlock('evoformer', {
  ...ALPHAFOLD2,
  c_m: 64,
  c_z: 32,
  c_hidden_msa_att: 8,
  c_hidden_opm: 8,
  c_hidden_mul: 32,
  c_hidden_pair_att: 8,
});

/** The pair track of one block at AlphaFold 2's widths. */
export const pairStack = evoformerPairStack('evoformer-pairs', ALPHAFOLD2);
