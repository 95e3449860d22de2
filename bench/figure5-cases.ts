import type { Model } from 'autochunk';
import evoformer from './models/evoformer.ts';
import gpt from './models/gpt2.ts';
import unet from './models/unet.ts';
import vit1025, { vit2305 } from './models/vit.ts';
import type { BenchSize } from './sizes.ts';

/** A model of the paper's figure 5 at one length. */
export interface Figure5Case {
  /** Where the model is, for reports. */
  readonly reference: string;
  readonly model: Model;
  readonly dims: Readonly<Record<string, number>>;
  readonly size: BenchSize;
}

const at = (size: BenchSize, reference: string, model: Model, dims: Figure5Case['dims']): Figure5Case => ({
  reference: `bench/models/${reference}`,
  model,
  dims,
  size,
});

/** The four models of the paper, narrower and with fewer layers, at two lengths each, and a small one to try the benchmark with. */
export const FIGURE5: readonly Figure5Case[] = [
  at('quick', 'gpt2.ts', gpt, { N: 64 }),
  at('short', 'gpt2.ts', gpt, { N: 1024 }),
  at('long', 'gpt2.ts', gpt, { N: 2048 }),
  at('short', 'vit.ts', vit1025, { B: 1 }),
  at('long', 'vit.ts#vit2305', vit2305, { B: 1 }),
  at('short', 'evoformer.ts', evoformer, { N_seq: 32, N_res: 128 }),
  at('long', 'evoformer.ts', evoformer, { N_seq: 32, N_res: 192 }),
  at('short', 'unet.ts', unet, { B: 1, H: 16, W: 16, L: 77 }),
  at('long', 'unet.ts', unet, { B: 1, H: 24, W: 24, L: 77 }),
];
