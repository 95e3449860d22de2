import { VIT_B16 } from '../../models/vit/config.ts';
import { vit } from '../../models/vit/model.ts';

/** Two layers of ViT-S/16 (384 channels, 6 heads) on images of 512 × 512 pixels: 1025 tokens. */
export default vit('vit', {
  ...VIT_B16,
  image_size: 512,
  hidden_size: 384,
  num_hidden_layers: 2,
  num_attention_heads: 6,
  intermediate_size: 1536,
});
