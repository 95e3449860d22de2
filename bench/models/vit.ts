import { VIT_B16 } from '../../models/vit/config.ts';
import { vit } from '../../models/vit/model.ts';

/** Two layers of ViT-S/16 (384 channels, 6 heads) on square images. */
const narrow = (imageSize: number) =>
  vit('vit', {
    ...VIT_B16,
    image_size: imageSize,
    hidden_size: 384,
    num_hidden_layers: 2,
    num_attention_heads: 6,
    intermediate_size: 1536,
  });

/** 512 × 512 pixels: 1025 tokens. */
export default narrow(512);
/** 768 × 768 pixels: 2305 tokens. */
export const vit2305 = narrow(768);
/** 1024 × 1024 pixels: 4097 tokens. */
export const vit4097 = narrow(1024);
