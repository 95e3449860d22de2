import { concat, nn, range, scope, upsampleNearest2d } from 'autochunk';
import type { UnetConfig } from './config.ts';
import { type Conditioning, type Features, headsAt } from './features.ts';
import { resnet } from './resnet.ts';
import { spatialTransformer } from './transformer.ts';

/**
 * ResNet blocks, each followed by a transformer in a `CrossAttnDownBlock2D`; then the resolution is halved, except after
 * the last block. Returns the features after every step: the way up takes them as skips.
 */
export function downBlock(x: Features, given: Conditioning, level: number, config: UnetConfig): Features[] {
  const channels = config.block_out_channels[level] as number;
  const attends = config.down_block_types[level] === 'CrossAttnDownBlock2D';
  const steps: Features[] = [];
  for (const i of range(config.layers_per_block)) {
    let h = resnet(`resnets.${i}`, steps.at(-1) ?? x, given, channels, config);
    if (attends) h = spatialTransformer(`attentions.${i}`, h, given, headsAt(config, level), config);
    steps.push(h);
  }
  if (level < config.block_out_channels.length - 1)
    steps.push(
      scope('downsamplers.0', () =>
        nn.conv2d('conv', steps.at(-1) as Features, channels, 3, {
          stride: 2,
          padding: config.downsample_padding,
        }),
      ),
    );
  return steps;
}

/** A transformer between two ResNet blocks, at the lowest resolution (`UNetMidBlock2DCrossAttn`). */
export function midBlock(x: Features, given: Conditioning, config: UnetConfig): Features {
  const level = config.block_out_channels.length - 1;
  const channels = config.block_out_channels[level] as number;
  const before = resnet('resnets.0', x, given, channels, config);
  const attended = spatialTransformer('attentions.0', before, given, headsAt(config, level), config);
  return resnet('resnets.1', attended, given, channels, config);
}

/**
 * ResNet blocks that also see the skips of their resolution, the last one first, each followed by a transformer in a
 * `CrossAttnUpBlock2D`; then the resolution is doubled, except after the highest. Takes its skips off `skips`.
 */
export function upBlock(
  x: Features,
  skips: Features[],
  given: Conditioning,
  index: number,
  config: UnetConfig,
): Features {
  const level = config.block_out_channels.length - 1 - index;
  const channels = config.block_out_channels[level] as number;
  const attends = config.up_block_types[index] === 'CrossAttnUpBlock2D';
  let h = x;
  for (const i of range(config.layers_per_block + 1)) {
    const joined: Features = concat([h, skips.pop() as Features], 1);
    h = resnet(`resnets.${i}`, joined, given, channels, config);
    if (attends) h = spatialTransformer(`attentions.${i}`, h, given, headsAt(config, level), config);
  }
  if (level === 0) return h;
  const larger = upsampleNearest2d(h, { scale: 2 });
  return scope('upsamplers.0', () => nn.conv2d('conv', larger, channels, 3, { padding: 1 }));
}
