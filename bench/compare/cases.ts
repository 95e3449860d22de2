import type { Model } from 'autochunk';
import { pairStack } from '../models/evoformer.ts';
import gpt from '../models/gpt2.ts';
import { unetBlock } from '../models/unet.ts';
import vit1025, { vit4097 } from '../models/vit.ts';
import type { BenchSize } from '../sizes.ts';

/** A model at one size, as all contestants run it. */
export interface PeerCase {
  readonly name: string;
  readonly title: string;
  readonly model: Model;
  readonly dims: Readonly<Record<string, number>>;
  /** Budgets that autochunk keeps as further contestants, beside the model without loops. */
  readonly budgets: readonly string[];
  readonly size: BenchSize;
}

const gptAt = (N: number, budgets: readonly string[], size: BenchSize = 'short'): PeerCase => ({
  name: `gpt-${N}`,
  title: `GPT, 2 layers × 256, N = ${N}`,
  model: gpt,
  dims: { N },
  budgets,
  size,
});

/** The models and sizes on which autochunk is compared with other libraries. */
export const CASES: readonly PeerCase[] = [
  gptAt(64, ['50%'], 'quick'),
  gptAt(1024, []),
  gptAt(2048, []),
  gptAt(4096, ['64MiB']),
  {
    name: 'vit-1025',
    title: 'ViT, 2 layers × 384, N = 1025',
    model: vit1025,
    dims: { B: 1 },
    budgets: [],
    size: 'short',
  },
  {
    name: 'vit-4097',
    title: 'ViT, 2 layers × 384, N = 4097',
    model: vit4097,
    dims: { B: 1 },
    budgets: ['64MiB'],
    size: 'short',
  },
  {
    name: 'evoformer-pairs',
    title: 'Evoformer, pair track of a block, N_res = 128',
    model: pairStack,
    dims: { N_res: 128 },
    budgets: [],
    size: 'short',
  },
  {
    name: 'unet-block',
    title: 'UNet block, 64 channels, 48 × 48',
    model: unetBlock,
    dims: { B: 1, H: 48, W: 48, L: 77 },
    budgets: [],
    size: 'short',
  },
];
