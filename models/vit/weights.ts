import type { WeightNames } from 'autochunk/weights';

/** The prefix that files of the bare `ViTModel` leave out, and names that are no parameters of the classifier. */
export const weightNames: WeightNames = {
  prefixes: ['vit.'],
  ignore: [
    // Unused by the classifier.
    /^vit\.pooler\./,
    // Reference inputs and outputs of test fixtures.
    /^(input|output)\./,
  ],
};
