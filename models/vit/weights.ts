import type { WeightNames } from 'autochunk/weights';

/** Names in ViT files that are no parameters of the classifier. */
export const weightNames: WeightNames = {
  ignore: [
    // Unused by the classifier.
    /^vit\.pooler\./,
    // Reference inputs and outputs of test fixtures.
    /^(input|output)\./,
  ],
};
