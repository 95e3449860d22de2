import { add, defineModel, f32, nn, range, scope, slice, squeeze } from 'autochunk';
import { ALPHAFOLD2, EVOFORMER_SMALL, type EvoformerConfig } from './config.ts';
import { msaColumnAttention, msaRowAttentionWithPairBias } from './msa.ts';
import { outerProductMean } from './outer-product-mean.ts';
import type { Msa, MsaMask, Pair, PairMask } from './shapes.ts';
import { transition } from './transition.ts';
import {
  triangleAttentionEndingNode,
  triangleAttentionStartingNode,
  triangleMultiplication,
} from './triangle.ts';

export { weightNames } from './weights.ts';

/** The representations are taken over, as when OpenFold updates them in place: a recycling step makes them anew. */
const inputs = ({ c_m, c_z }: EvoformerConfig) => ({
  m: f32('N_seq', 'N_res', c_m, { donated: true }),
  z: f32('N_res', 'N_res', c_z, { donated: true }),
  msa_mask: f32('N_seq', 'N_res'),
  pair_mask: f32('N_res', 'N_res'),
});

type Representations = { readonly m: Msa; readonly z: Pair };

interface Masks {
  readonly msa_mask: MsaMask;
  readonly pair_mask: PairMask;
}

/** One block of the Evoformer: the body of the loop of algorithm 6 in the supplement of Jumper et al. (2021). */
export const evoformerBlock = (name: string, config: EvoformerConfig) =>
  defineModel(name, inputs(config), ({ m, z, ...masks }) => block(m, z, masks, config));

/** Algorithm 6: all blocks, then the single representation `s` from the first sequence of the MSA. */
export const evoformerStack = (name: string, config: EvoformerConfig) =>
  defineModel(name, inputs(config), ({ m, z, ...masks }) => {
    let state: Representations = { m, z };
    for (const i of range(config.no_blocks))
      state = scope(`blocks.${i}`, () => block(state.m, state.z, masks, config));
    const target = squeeze(slice(state.m, 0, 0, 1), 0);
    return { ...state, s: nn.linear('linear', target, config.c_s) };
  });

/** What one block does to the pair representation alone: algorithm 6 from line 6 on. */
export const evoformerPairStack = (name: string, config: EvoformerConfig) =>
  defineModel(
    name,
    { z: f32('N_res', 'N_res', config.c_z, { donated: true }), pair_mask: f32('N_res', 'N_res') },
    ({ z, pair_mask }) => ({ z: scope('pair_stack', () => pairStack(z, pair_mask, config)) }),
  );

/** Dropout is off: this is inference. */
function block(m: Msa, z: Pair, { msa_mask, pair_mask }: Masks, config: EvoformerConfig): Representations {
  m = add(
    m,
    scope('msa_att_row', () => msaRowAttentionWithPairBias(m, z, msa_mask, config)),
  );
  m = add(
    m,
    scope('msa_att_col', () => msaColumnAttention(m, msa_mask, config)),
  );
  m = add(
    m,
    scope('msa_transition', () => transition(m, msa_mask, config)),
  );
  z = add(
    z,
    scope('outer_product_mean', () => outerProductMean(m, msa_mask, config)),
  );
  z = scope('pair_stack', () => pairStack(z, pair_mask, config));
  return { m, z };
}

function pairStack(z: Pair, mask: PairMask, config: EvoformerConfig): Pair {
  z = add(
    z,
    scope('tri_mul_out', () => triangleMultiplication(z, mask, config, 'outgoing')),
  );
  z = add(
    z,
    scope('tri_mul_in', () => triangleMultiplication(z, mask, config, 'incoming')),
  );
  z = add(
    z,
    scope('tri_att_start', () => triangleAttentionStartingNode(z, mask, config)),
  );
  z = add(
    z,
    scope('tri_att_end', () => triangleAttentionEndingNode(z, mask, config)),
  );
  return add(
    z,
    scope('pair_transition', () => transition(z, mask, config)),
  );
}

/** One block at AlphaFold 2's widths: 1.8M parameters. */
export const evoformer = evoformerBlock('evoformer-block', ALPHAFOLD2);
/** The 48 blocks of AlphaFold 2: 88M parameters. */
export const evoformer48 = evoformerStack('evoformer-stack', ALPHAFOLD2);
/** One small block, for tests. */
export const evoformerSmall = evoformerBlock('evoformer-small', EVOFORMER_SMALL);

export default evoformer;
