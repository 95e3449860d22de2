import { boolean, count, type Field, number, oneOf, readConfig } from '../read-config.ts';

/** The fields of a Hugging Face `config.json` that a ViT classifier needs, under their names there. */
export interface VitConfig {
  /** Side of the square image, or [height, width], in pixels. */
  readonly image_size: number | readonly [height: number, width: number];
  /** Side of the square patches, or [height, width], in pixels; divides the image. */
  readonly patch_size: number | readonly [height: number, width: number];
  readonly num_channels: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  /** `gelu` is the exact one, `gelu_new` its tanh approximation. */
  readonly hidden_act: 'gelu' | 'gelu_new';
  readonly layer_norm_eps: number;
  readonly qkv_bias: boolean;
  /** Classes; in a `config.json` the number of entries of `id2label`. */
  readonly num_labels: number;
}

const published = {
  image_size: 224,
  patch_size: 16,
  num_channels: 3,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  qkv_bias: true,
  num_labels: 1000,
} as const;

/** Two layers with random weights: small enough to check every number of it (`test/fixtures/vit-tiny.safetensors`). */
export const VIT_TINY: VitConfig = {
  ...published,
  image_size: 32,
  patch_size: 4,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
  num_labels: 10,
};
/** ViT-B/16 (google/vit-base-patch16-224): 86 567 656 parameters. */
export const VIT_B16: VitConfig = {
  ...published,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
};
/** ViT-L/16 (google/vit-large-patch16-224): 304 326 632 parameters. */
export const VIT_L16: VitConfig = {
  ...published,
  hidden_size: 1024,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  intermediate_size: 4096,
};
/** ViT-B/16 at 1024 × 1024 pixels, with a position table of its own: for studying memory; there are no weights for it. */
export const VIT_B16_1024: VitConfig = { ...VIT_B16, image_size: 1024 };

const isPair = (value: unknown): value is readonly [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every((side) => count().accepts(side));

/** A side, or [height, width]. */
const size = (fallback: number): Field<number | readonly [height: number, width: number]> => ({
  expected: 'a positive integer or [height, width]',
  accepts: (value): value is number | readonly [number, number] => count().accepts(value) || isPair(value),
  fallback,
});

/**
 * Reads the `config.json` of a Hugging Face `ViTForImageClassification`; absent fields have the defaults they have there.
 *
 * @throws UserError naming every field that is malformed or not supported
 */
export function readVitConfig(json: unknown): VitConfig {
  const { id2label } = (json ?? {}) as { readonly id2label?: unknown };
  const labels = typeof id2label === 'object' && id2label !== null ? Object.keys(id2label).length : 2;
  return readConfig<VitConfig>(
    'ViT config.json',
    json,
    {
      image_size: size(224),
      patch_size: size(16),
      num_channels: count(3),
      hidden_size: count(768),
      num_hidden_layers: count(12),
      num_attention_heads: count(12),
      intermediate_size: count(3072),
      hidden_act: oneOf(['gelu', 'gelu_new'], 'gelu'),
      layer_norm_eps: number(1e-12),
      qkv_bias: boolean(true),
      num_labels: count(labels),
    },
    { model_type: 'vit' },
  );
}
