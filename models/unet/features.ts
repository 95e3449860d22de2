import type { Tensor } from 'autochunk';
import type { UnetConfig } from './config.ts';

/** Feature maps [B, channels, height, width]. */
export type Features = Tensor<readonly ['B', number, string, string]>;
/** Tokens of the text encoder [B, L, channels]. */
export type EncoderTokens = Tensor<readonly ['B', 'L', number]>;

/** What every block is told besides its features. */
export interface Conditioning {
  /** Activated embedding of the timestep [1, channels], shared by the batch. */
  readonly time: Tensor<readonly [1, number]>;
  readonly encoder: EncoderTokens;
}

/** Heads of the transformers at a resolution, counted from the highest. */
export const headsAt = ({ attention_head_dim: heads }: UnetConfig, level: number): number =>
  typeof heads === 'number' ? heads : (heads[level] as number);
