import { ConfigReader } from 'autochunk/weights';

/** Names of activations in `config.json` files. */
const ACTIVATIONS = {
  gelu: 'gelu',
  gelu_new: 'gelu-tanh',
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
} as const;
export type Activation = (typeof ACTIVATIONS)[keyof typeof ACTIVATIONS];

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
  /** `gelu` (the exact one) when absent. */
  readonly activation?: Activation;
  readonly layer_norm_eps: number;
  readonly qkv_bias: boolean;
  /** Classes; in a `config.json` the number of entries of `id2label`. */
  readonly num_labels: number;
}

const published = {
  image_size: 224,
  patch_size: 16,
  num_channels: 3,
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

/**
 * Reads the parsed `config.json` of a Hugging Face ViT. Fields that it leaves out have the defaults of Hugging Face.
 *
 * @throws UserError naming every field that is wrong or not supported
 */
export function readVitConfig(json: unknown, file?: string): VitConfig {
  const fields = new ConfigReader(json, ['vit'], file);
  const config: VitConfig = {
    image_size: readSize(fields, 'image_size', 224),
    patch_size: readSize(fields, 'patch_size', 16),
    num_channels: fields.integer('num_channels', 3),
    hidden_size: fields.integer('hidden_size', 768),
    num_hidden_layers: fields.integer('num_hidden_layers', 12),
    num_attention_heads: fields.integer('num_attention_heads', 12),
    intermediate_size: fields.integer('intermediate_size', 3072),
    activation: fields.choice('hidden_act', ACTIVATIONS, 'gelu'),
    layer_norm_eps: fields.number('layer_norm_eps', 1e-12),
    qkv_bias: fields.boolean('qkv_bias', true),
    num_labels: readLabels(fields),
  };
  const { hidden_size, num_attention_heads: heads } = config;
  if (hidden_size % heads !== 0)
    fields.reject('num_attention_heads', `${heads} heads do not divide hidden_size ${hidden_size}`);
  fields.finish();
  return config;
}

/** One number for both sides, or [height, width]. */
function readSize(fields: ConfigReader, name: string, absent: number): VitConfig['image_size'] {
  const value = fields.raw(name);
  if (!Array.isArray(value)) return fields.integer(name, absent);
  const [height, width] = value;
  if (value.length === 2 && value.every((side) => Number.isSafeInteger(side) && side > 0))
    return [height, width];
  fields.reject(name, `expected a positive integer or [height, width], got ${JSON.stringify(value)}`);
  return absent;
}

/** Files list the classes by name. */
function readLabels(fields: ConfigReader): number {
  const labels = fields.raw('id2label');
  if (labels === undefined) return fields.integer('num_labels', 2);
  const count = typeof labels === 'object' && labels !== null ? Object.keys(labels).length : 0;
  if (count === 0) fields.reject('id2label', `expected an object of classes, got ${JSON.stringify(labels)}`);
  return count;
}
