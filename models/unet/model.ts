import { defineModel, f32, i32, nn, range, scope, silu, type Tensor, timestepEmbedding } from 'autochunk';
import { downBlock, midBlock, upBlock } from './blocks.ts';
import { readUnetConfig, SD15, SD21, UNET_SMALL, type UnetConfig } from './config.ts';
import type { Conditioning, Features } from './features.ts';

export { weightNames } from './weights.ts';

/** Height and width of the lowest resolution are H and W; those of the input are this many times larger. */
const scaleOf = (config: UnetConfig): number => 2 ** (config.block_out_channels.length - 1);

/**
 * The denoising U-Net of latent diffusion (Rombach et al. 2022), as `UNet2DConditionModel` of diffusers 0.16.1 in the
 * shape of Stable Diffusion. Returns the predicted noise, of the shape of `sample`. Parameters have the names of
 * diffusers' files.
 */
export const unet = (name: string, config: UnetConfig) => {
  const scale = scaleOf(config);
  const inputs = {
    sample: f32('B', config.in_channels, `${scale}*H`, `${scale}*W`),
    timestep: i32(1),
    encoder_hidden_states: f32('B', 'L', config.cross_attention_dim),
  };
  return defineModel(name, inputs, ({ sample, timestep, encoder_hidden_states: encoder }) => {
    const levels = range(config.block_out_channels.length);
    const [width] = config.block_out_channels as readonly [number, ...number[]];
    const given: Conditioning = { time: embedTime(timestep, width, config), encoder };

    let x: Features = nn.conv2d('conv_in', sample, width, 3, { padding: 1 });
    const skips = [x];
    for (const level of levels) {
      skips.push(...scope(`down_blocks.${level}`, () => downBlock(x, given, level, config)));
      x = skips.at(-1) as Features;
    }
    x = scope('mid_block', () => midBlock(x, given, config));
    for (const index of levels)
      x = scope(`up_blocks.${index}`, () => upBlock(x, skips, given, index, config));

    const norm = { groups: config.norm_num_groups, epsilon: config.norm_eps };
    const normal = nn.groupNorm('conv_norm_out', x, norm);
    const active = silu(normal);
    const noise = nn.conv2d('conv_out', active, config.out_channels, 3, { padding: 1 });
    return { sample: noise };
  });
};

/** Sinusoids of the timestep through two layers; the activation that every ResNet block begins with is applied once. */
function embedTime(timestep: Tensor<[1]>, width: number, config: UnetConfig): Conditioning['time'] {
  const waves = timestepEmbedding(timestep, width, {
    flipSinToCos: config.flip_sin_to_cos,
    downscaleFreqShift: config.freq_shift,
  });
  const embedding = scope('time_embedding', () => {
    const hidden = silu(nn.linear('linear_1', waves, 4 * width));
    return nn.linear('linear_2', hidden, 4 * width);
  });
  const time = silu(embedding);
  return time;
}

/**
 * The model that a checkpoint's parsed `config.json` describes.
 *
 * @param file name for messages
 * @throws UserError naming every field that is wrong or not supported
 */
export const fromConfig = (json: unknown, file?: string) => unet('unet', readUnetConfig(json, file));

/** Random weights, for tests. */
export const unetSmall = unet('unet-small', UNET_SMALL);

export const unetSd15 = unet('unet-sd15', SD15);
export const unetSd21 = unet('unet-sd21', SD21);

export default unetSd15;
