import { ALPHAFOLD2 } from '../../models/evoformer/config.ts';
import { evoformerBlock } from '../../models/evoformer/model.ts';

/** One block at half of AlphaFold 2's channels, with its number of heads. */
export default evoformerBlock('evoformer', {
  ...ALPHAFOLD2,
  c_m: 128,
  c_z: 64,
  c_hidden_msa_att: 16,
  c_hidden_opm: 16,
  c_hidden_mul: 64,
  c_hidden_pair_att: 16,
});
