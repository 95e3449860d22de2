import { defineModel, f32, nn, reshape, scope, slice, type Tensor } from 'autochunk';
import { readVitConfig, VIT_B16, VIT_B16_1024, VIT_L16, VIT_TINY, type VitConfig } from './config.ts';
import { embeddings, patchesOf } from './embeddings.ts';
import { encoder } from './encoder.ts';

export { weightNames } from './weights.ts';

/** The image input of a configuration: its size is part of the model, as its position table is. */
const images = (config: VitConfig) => {
  const [height, width] = patchesOf(config).image;
  return { pixel_values: f32('B', config.num_channels, height, width) };
};

export interface VitOptions {
  /** Also return `last_hidden_state` [B, class token and patches, channels]. Default: false. */
  readonly features?: boolean;
}

/**
 * Vision Transformer (Dosovitskiy et al. 2021) with a classifier on the class token. Returns the logits [B, classes].
 * Parameters have the names of Hugging Face's `ViTForImageClassification`.
 *
 * @throws UserError when the patches do not cover the image
 */
export const vit = (name: string, config: VitConfig, options: VitOptions = {}) =>
  defineModel(name, images(config), ({ pixel_values }): Record<string, Tensor> => {
    const { hidden_size, num_labels, layer_norm_eps: epsilon } = config;
    const features = scope('vit', () => {
      const tokens = scope('embeddings', () => embeddings(pixel_values, config));
      const encoded = scope('encoder', () => encoder(tokens, config));
      // The norm works token by token: the classifier needs that of the class token only.
      return nn.layerNorm('layernorm', options.features ? encoded : slice(encoded, 1, 0, 1), { epsilon });
    });
    const classToken = reshape(slice(features, 1, 0, 1), ['B', hidden_size]);
    const logits = nn.linear('classifier', classToken, num_labels);
    return options.features ? { logits, last_hidden_state: features } : { logits };
  });

/**
 * The model that a checkpoint's parsed `config.json` describes.
 *
 * @param file name for messages
 * @throws UserError naming every field that is wrong or not supported
 */
export const fromConfig = (json: unknown, file?: string) => vit('vit', readVitConfig(json, file));

/** Random weights, for tests. */
export const vitTiny = vit('vit-tiny', VIT_TINY, { features: true });

export const vitB16 = vit('vit-b16', VIT_B16);
export const vitL16 = vit('vit-l16', VIT_L16);
/** ViT-B/16 for large images, for studying memory; there are no weights for it. */
export const vitB16Large = vit('vit-b16-1024', VIT_B16_1024);

export default vitB16;
