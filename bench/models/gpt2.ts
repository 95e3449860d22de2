import { gpt2 } from '../../models/gpt2/model.ts';

/** Two layers of a narrow GPT-2 with room for long sequences: attention is most of its memory, as in the published ones. */
export default gpt2(
  'gpt2',
  { vocab_size: 1024, n_positions: 4096, n_embd: 256, n_layer: 2, n_head: 4, layer_norm_epsilon: 1e-5 },
  { logits: 'last' },
);
