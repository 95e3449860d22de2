import type { WeightNames } from 'autochunk/weights';

/** Names in OpenFold's files that are no parameters of the Evoformer, and what stands before those that are. */
export const weightNames: WeightNames = {
  prefixes: ['module.model.evoformer.', 'model.evoformer.', 'evoformer.'],
  ignore: [
    // The rest of AlphaFold, in files of the whole model.
    /^(module\.)?(model\.)?(input_embedder|recycling_embedder|template_\w+|extra_msa_\w+|structure_module|aux_heads)\./,
    // Inputs, reference outputs and intermediate values of test fixtures.
    /^case\d+\./,
  ],
};
