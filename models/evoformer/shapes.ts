import type { Dim, Tensor } from 'autochunk';

/** The MSA representation: c_m channels for every residue of every sequence. */
export type Msa = Tensor<readonly ['N_seq', 'N_res', number]>;
/** The pair representation: c_z channels for every pair of residues. */
export type Pair = Tensor<readonly ['N_res', 'N_res', number]>;
/** 1 where a residue of a sequence is there, 0 where it is padding. */
export type MsaMask = Tensor<readonly ['N_seq', 'N_res']>;
/** 1 where both residues of a pair are there. */
export type PairMask = Tensor<readonly ['N_res', 'N_res']>;

/** What the parts that serve both representations take and return: channels at the positions of a matrix. */
export type Rows = Tensor<readonly [Dim, Dim, number]>;
export type Mask = Tensor<readonly [Dim, Dim]>;
