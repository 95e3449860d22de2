import { ConfigReader } from 'autochunk/weights';

const DOWN_BLOCKS = ['CrossAttnDownBlock2D', 'DownBlock2D'] as const;
const UP_BLOCKS = ['UpBlock2D', 'CrossAttnUpBlock2D'] as const;
export type DownBlockType = (typeof DOWN_BLOCKS)[number];
export type UpBlockType = (typeof UP_BLOCKS)[number];

/** The fields of a diffusers `unet/config.json` that the U-Net of Stable Diffusion needs, under their names there. */
export interface UnetConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  /** Cosines before sines in the features of the timestep. */
  readonly flip_sin_to_cos: boolean;
  readonly freq_shift: number;
  /** From the highest resolution to the lowest; every block but the last one halves it. */
  readonly down_block_types: readonly DownBlockType[];
  /** From the lowest resolution to the highest; every block but the last one doubles it. */
  readonly up_block_types: readonly UpBlockType[];
  /** Channels of each resolution, from the highest to the lowest. */
  readonly block_out_channels: readonly number[];
  /** ResNet blocks in a block on the way down; one more on the way up. */
  readonly layers_per_block: number;
  readonly downsample_padding: number;
  readonly norm_num_groups: number;
  readonly norm_eps: number;
  /** Channels of the encoder's tokens. */
  readonly cross_attention_dim: number;
  /** In spite of its name the number of heads, of all transformers or of those of each resolution. */
  readonly attention_head_dim: number | readonly number[];
  /** The projections around a transformer are stored as linear layers instead of 1 × 1 convolutions. */
  readonly use_linear_projection: boolean;
}

const stableDiffusion = {
  in_channels: 4,
  out_channels: 4,
  flip_sin_to_cos: true,
  freq_shift: 0,
  down_block_types: ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
  block_out_channels: [320, 640, 1280, 1280],
  layers_per_block: 2,
  downsample_padding: 1,
  norm_num_groups: 32,
  norm_eps: 1e-5,
} as const;

/** Stable Diffusion 1.1 to 1.5: 859 520 964 parameters. */
export const SD15: UnetConfig = {
  ...stableDiffusion,
  cross_attention_dim: 768,
  attention_head_dim: 8,
  use_linear_projection: false,
};

/** Stable Diffusion 2.0 and 2.1: 865 910 724 parameters. */
export const SD21: UnetConfig = {
  ...stableDiffusion,
  cross_attention_dim: 1024,
  attention_head_dim: [5, 10, 20, 20],
  use_linear_projection: true,
};

/** Two resolutions with random weights: small enough to check every number of it (`test/fixtures/unet-small.safetensors`). */
export const UNET_SMALL: UnetConfig = {
  ...stableDiffusion,
  down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
  block_out_channels: [32, 64],
  layers_per_block: 1,
  norm_num_groups: 8,
  cross_attention_dim: 24,
  attention_head_dim: 4,
  use_linear_projection: false,
};

/** Fields that this model knows for one value only (absent and null mean it, too), and what that means. */
const FIXED: readonly (readonly [name: string, values: readonly unknown[], why: string])[] = [
  ['_class_name', ['UNet2DConditionModel'], 'this is another network'],
  ['act_fn', ['silu', 'swish'], 'activations are SiLU'],
  ['mid_block_type', ['UNetMidBlock2DCrossAttn'], 'the middle is ResNet, transformer, ResNet'],
  ['mid_block_scale_factor', [1], 'the ResNet blocks of the middle are not scaled'],
  ['center_input_sample', [false], 'the latents are taken as they are'],
  ['only_cross_attention', [false], 'transformers attend to themselves first'],
  ['mid_block_only_cross_attention', [false], 'transformers attend to themselves first'],
  ['dual_cross_attention', [false], 'there is one transformer after a ResNet block'],
  ['transformer_layers_per_block', [1], 'a transformer has one layer'],
  ['num_attention_heads', [], 'in files of this network attention_head_dim is the number of heads'],
  ['cross_attention_norm', [false], 'encoder tokens are not normalised'],
  ['encoder_hid_dim', [], 'encoder tokens are not projected'],
  ['encoder_hid_dim_type', [], 'encoder tokens are not projected'],
  ['attention_type', ['default'], 'attention is not gated'],
  ['class_embed_type', [], 'there are no class embeddings'],
  ['num_class_embeds', [], 'there are no class embeddings'],
  ['addition_embed_type', [], 'nothing is added to the embedding of the timestep'],
  ['time_embedding_type', ['positional'], 'timesteps are embedded as sinusoids'],
  ['time_embedding_dim', [], 'the embedding of the timestep has 4 times the channels of the first block'],
  ['time_embedding_act_fn', [], 'the embedding of the timestep has no activation'],
  ['timestep_post_act', [], 'the embedding of the timestep has no activation'],
  ['time_cond_proj_dim', [], 'there is no condition on the timestep'],
  ['resnet_time_scale_shift', ['default'], 'the timestep is added in ResNet blocks'],
  ['resnet_skip_time_act', [false], 'the timestep is activated in ResNet blocks'],
  ['resnet_out_scale_factor', [1], 'ResNet blocks are not scaled'],
  ['conv_in_kernel', [3], 'the first convolution is 3 × 3'],
  ['conv_out_kernel', [3], 'the last convolution is 3 × 3'],
];

/**
 * Reads the parsed `config.json` of a diffusers U-Net. Fields that it leaves out have the defaults of diffusers.
 *
 * @throws UserError naming every field that is wrong or not supported
 */
export function readUnetConfig(json: unknown, file?: string): UnetConfig {
  const fields = new ConfigReader(json, undefined, file);
  const heads = fields.raw('attention_head_dim');
  const config: UnetConfig = {
    in_channels: fields.integer('in_channels', 4),
    out_channels: fields.integer('out_channels', 4),
    flip_sin_to_cos: fields.boolean('flip_sin_to_cos', true),
    freq_shift: readNumber(fields, 'freq_shift', 0),
    down_block_types: readNames(fields, 'down_block_types', DOWN_BLOCKS, stableDiffusion.down_block_types),
    up_block_types: readNames(fields, 'up_block_types', UP_BLOCKS, stableDiffusion.up_block_types),
    block_out_channels: readCounts(fields, 'block_out_channels', stableDiffusion.block_out_channels),
    layers_per_block: fields.integer('layers_per_block', 2),
    downsample_padding: readNumber(fields, 'downsample_padding', 1),
    norm_num_groups: fields.integer('norm_num_groups', 32),
    norm_eps: fields.number('norm_eps', 1e-5),
    cross_attention_dim: fields.integer('cross_attention_dim', 1280),
    attention_head_dim: Array.isArray(heads)
      ? readCounts(fields, 'attention_head_dim', [])
      : fields.integer('attention_head_dim', 8),
    use_linear_projection: fields.boolean('use_linear_projection', false),
  };
  checkLevels(fields, config);
  for (const [name, values, why] of FIXED) fields.only(name, values, why);
  fields.finish();
  return config;
}

/** What is said for every resolution, is said for all; heads and groups divide the channels. */
function checkLevels(fields: ConfigReader, config: UnetConfig): void {
  const { block_out_channels: channels, attention_head_dim: heads, norm_num_groups: groups } = config;
  const lists = ['down_block_types', 'up_block_types', 'attention_head_dim'] as const;
  for (const name of lists) {
    const list = config[name];
    if (typeof list === 'object' && list.length !== channels.length)
      fields.reject(name, `${list.length} entries for the ${channels.length} of block_out_channels`);
  }
  channels.forEach((count, level) => {
    const ofLevel = typeof heads === 'number' ? heads : heads[level];
    if (ofLevel !== undefined && count % ofLevel !== 0)
      fields.reject('attention_head_dim', `${ofLevel} heads do not divide ${count} channels`);
    if (count % groups !== 0)
      fields.reject('norm_num_groups', `${groups} groups do not divide ${count} channels`);
  });
}

/** A number that may be 0. */
function readNumber(fields: ConfigReader, name: string, absent: number): number {
  const value = fields.raw(name) ?? absent;
  if (typeof value === 'number' && value >= 0) return value;
  fields.reject(name, `expected a number that is not negative, got ${JSON.stringify(value)}`);
  return absent;
}

function readCounts(fields: ConfigReader, name: string, absent: readonly number[]): readonly number[] {
  const value = fields.raw(name) ?? absent;
  if (Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item > 0)) return value;
  fields.reject(name, `expected a list of positive integers, got ${JSON.stringify(value)}`);
  return absent;
}

function readNames<Name extends string>(
  fields: ConfigReader,
  name: string,
  known: readonly Name[],
  absent: readonly Name[],
): readonly Name[] {
  const value = fields.raw(name) ?? absent;
  const isKnown = (item: unknown): item is Name => known.some((other) => other === item);
  if (Array.isArray(value) && value.every(isKnown)) return value;
  fields.refuse(name, `expected a list of ${known.join(' and ')}, got ${JSON.stringify(value)}`);
  return absent;
}
