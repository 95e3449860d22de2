import type { WeightNames } from 'autochunk/weights';

/** The prefix that files of the bare `LlamaModel` leave out, and names that are no parameters. */
export const weightNames: WeightNames = {
  prefixes: ['model.'],
  ignore: [
    // Present in some files although the classifier is tied.
    'lm_head.weight',
    // Tables that older exports stored.
    /(^|\.)rotary_emb\.inv_freq$/,
    // Reference inputs and outputs, stored beside the weights of stories260K.
    /^(input|output)\./,
  ],
};
