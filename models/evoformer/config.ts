/** Widths of an Evoformer, under the names of OpenFold's configuration. */
export interface EvoformerConfig {
  /** Channels of the MSA representation. */
  readonly c_m: number;
  /** Channels of the pair representation. */
  readonly c_z: number;
  /** Channels of the single representation that the stack returns. */
  readonly c_s: number;
  /** Channels per head of MSA attention. */
  readonly c_hidden_msa_att: number;
  readonly no_heads_msa: number;
  /** Channels of the two projections whose outer product is averaged. */
  readonly c_hidden_opm: number;
  /** Channels of triangle multiplication. */
  readonly c_hidden_mul: number;
  /** Channels per head of triangle attention. */
  readonly c_hidden_pair_att: number;
  readonly no_heads_pair: number;
  /** Width of a transition's hidden layer, as a multiple of its channels. */
  readonly transition_n: number;
  /** Whether transitions leave masked positions as they are. AlphaFold updates them. */
  readonly mask_transitions: boolean;
  readonly no_blocks: number;
}

/** The monomer models of AlphaFold 2. */
export const ALPHAFOLD2: EvoformerConfig = {
  c_m: 256,
  c_z: 128,
  c_s: 384,
  c_hidden_msa_att: 32,
  no_heads_msa: 8,
  c_hidden_opm: 32,
  c_hidden_mul: 128,
  c_hidden_pair_att: 32,
  no_heads_pair: 4,
  transition_n: 4,
  mask_transitions: false,
  no_blocks: 48,
};

/** Random weights: small enough to check every number of it (`test/fixtures/evoformer-small.safetensors`). */
export const EVOFORMER_SMALL: EvoformerConfig = {
  c_m: 32,
  c_z: 16,
  c_s: 24,
  c_hidden_msa_att: 8,
  no_heads_msa: 4,
  c_hidden_opm: 8,
  c_hidden_mul: 16,
  c_hidden_pair_att: 8,
  no_heads_pair: 2,
  transition_n: 4,
  mask_transitions: true,
  no_blocks: 2,
};

/** Added to the attention scores of masked positions, negated. */
export const INFINITE_SCORE = 1e9;
/** Keeps the outer product mean finite where two residues share no sequence. */
export const SHARED_SEQUENCES_EPSILON = 1e-3;
