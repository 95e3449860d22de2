import { UserError } from 'autochunk';
import { boolean, count, counts, either, listOf, number, readConfig } from '../read-config.ts';

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

/** Fields that this model knows for one value only. */
const FIXED = {
  _class_name: 'UNet2DConditionModel',
  act_fn: 'silu',
  mid_block_type: 'UNetMidBlock2DCrossAttn',
  mid_block_scale_factor: 1,
  center_input_sample: false,
  only_cross_attention: false,
  dual_cross_attention: false,
  mid_block_only_cross_attention: null,
  cross_attention_norm: null,
  encoder_hid_dim: null,
  class_embed_type: null,
  num_class_embeds: null,
  addition_embed_type: null,
  resnet_time_scale_shift: 'default',
  resnet_skip_time_act: false,
  resnet_out_scale_factor: 1,
  time_embedding_type: 'positional',
  time_embedding_dim: null,
  time_embedding_act_fn: null,
  timestep_post_act: null,
  time_cond_proj_dim: null,
  conv_in_kernel: 3,
  conv_out_kernel: 3,
  class_embeddings_concat: false,
  transformer_layers_per_block: 1,
  num_attention_heads: null,
  encoder_hid_dim_type: null,
  attention_type: 'default',
} as const;

/**
 * Reads the `config.json` of a diffusers `UNet2DConditionModel`; absent fields have the defaults they have there.
 *
 * @throws UserError naming every field that is malformed, not supported, or does not fit the others
 */
export function readUnetConfig(json: unknown): UnetConfig {
  const config = readConfig<UnetConfig>(
    'U-Net config.json',
    json,
    {
      in_channels: count(4),
      out_channels: count(4),
      flip_sin_to_cos: boolean(true),
      freq_shift: number(0),
      down_block_types: listOf(DOWN_BLOCKS, stableDiffusion.down_block_types),
      up_block_types: listOf(UP_BLOCKS, stableDiffusion.up_block_types),
      block_out_channels: counts(stableDiffusion.block_out_channels),
      layers_per_block: count(2),
      downsample_padding: number(1),
      norm_num_groups: count(32),
      norm_eps: number(1e-5),
      cross_attention_dim: count(1280),
      attention_head_dim: either(count(8), counts()),
      use_linear_projection: boolean(false),
    },
    FIXED,
  );
  checkLevels(config);
  return config;
}

/** Lists that say something for every resolution are equally long. */
function checkLevels(config: UnetConfig): void {
  const { block_out_channels, down_block_types, up_block_types, attention_head_dim: heads } = config;
  const levels = block_out_channels.length;
  const lists = {
    down_block_types,
    up_block_types,
    ...(typeof heads === 'number' ? {} : { attention_head_dim: heads }),
  };
  const problems = Object.entries(lists)
    .filter(([, list]) => list.length !== levels)
    .map(([name, list]) => `${name} has ${list.length}`);
  if (problems.length > 0)
    throw new UserError(
      `U-Net config.json: block_out_channels has ${levels} resolutions, but ${problems.join(', ')}`,
    );
}
