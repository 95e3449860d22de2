import { add, nn, reshape, scope, silu } from 'autochunk';
import type { UnetConfig } from './config.ts';
import type { Conditioning, Features } from './features.ts';

/** Two normalised 3 × 3 convolutions with the timestep added in between, around a shortcut (`ResnetBlock2D`). */
export function resnet(
  name: string,
  x: Features,
  { time }: Conditioning,
  outChannels: number,
  config: UnetConfig,
): Features {
  const norm = { groups: config.norm_num_groups, epsilon: config.norm_eps };
  return scope(name, () => {
    const normal = nn.groupNorm('norm1', x, norm);
    const active = silu(normal);
    const first = nn.conv2d('conv1', active, outChannels, 3, { padding: 1 });
    const shift = reshape(nn.linear('time_emb_proj', time, outChannels), [1, outChannels, 1, 1]);
    const timed: Features = add(first, shift);
    const timedNormal = nn.groupNorm('norm2', timed, norm);
    const timedActive = silu(timedNormal);
    const second = nn.conv2d('conv2', timedActive, outChannels, 3, { padding: 1 });
    const shortcut = x.shape[1] === outChannels ? x : nn.conv2d('conv_shortcut', x, outChannels, 1);
    const features: Features = add(shortcut, second);
    return features;
  });
}
