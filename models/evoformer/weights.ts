import type { WeightNames } from 'autochunk/weights';

/** Names in OpenFold files. */
export const weightNames: WeightNames = {
  prefixes: ['module.model.evoformer.', 'model.evoformer.', 'evoformer.'],
  ignore: [
    // Inputs, reference outputs and intermediate values of test fixtures.
    /^case\d+\./,
  ],
};
