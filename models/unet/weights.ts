import type { WeightNames } from 'autochunk/weights';

/** Names in U-Net files that are no parameters. */
export const weightNames: WeightNames = {
  ignore: [
    // Reference inputs and outputs of test fixtures.
    /^(input|output|trace)\./,
  ],
};
