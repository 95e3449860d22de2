import type { WeightNames } from 'autochunk/weights';

/** Names in GPT-2 files that are no parameters, and the prefix of files saved with the language-model head. */
export const weightNames: WeightNames = {
  prefixes: ['transformer.'],
  ignore: [
    // Causal-mask buffers of the published files.
    /^h\.\d+\.attn\.(bias|masked_bias)$/,
    // The tied classifier.
    'lm_head.weight',
    // Reference inputs and outputs of test fixtures.
    /^(input|output)\./,
  ],
};
