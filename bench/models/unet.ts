import { defineModel, f32 } from 'autochunk';
import { downBlock } from '../../models/unet/blocks.ts';
import { UNET_SMALL } from '../../models/unet/config.ts';
import { unet } from '../../models/unet/model.ts';

/** Two resolutions of 32 and 64 channels, with self- and cross-attention at the higher one. */
export default unet('unet', UNET_SMALL);

const CONFIG = {
  ...UNET_SMALL,
  block_out_channels: [64],
  down_block_types: ['CrossAttnDownBlock2D'],
  up_block_types: ['CrossAttnUpBlock2D'],
  cross_attention_dim: 64,
} as const;

/** One block at 64 channels: two normalised convolutions around the timestep, then self- and cross-attention of all pixels. */
export const unetBlock = defineModel(
  'unet-block',
  { features: f32('B', 64, 'H', 'W'), time: f32(1, 256), encoder: f32('B', 'L', 64) },
  ({ features, time, encoder }) => {
    const [result] = downBlock(features, { time, encoder }, 0, CONFIG);
    return { features: result as NonNullable<typeof result> };
  },
);
