import {
  add,
  concat,
  expand,
  linear,
  param,
  permute,
  reshape,
  scope,
  type Tensor,
  UserError,
} from 'autochunk';
import type { VitConfig } from './config.ts';
import type { Tokens } from './encoder.ts';

/** Images [B, channels, height, width]. */
export type Images = Tensor<readonly ['B', number, number, number]>;

/** Patches and image as the paper cuts them: `rows · columns` patches of `height · width` pixels. */
export interface Patches {
  readonly image: readonly [height: number, width: number];
  readonly height: number;
  readonly width: number;
  readonly rows: number;
  readonly columns: number;
}

/** @throws UserError when the patches do not cover the image */
export function patchesOf({ image_size, patch_size }: VitConfig): Patches {
  const pair = (size: number | readonly [number, number]) =>
    typeof size === 'number' ? ([size, size] as const) : size;
  const image = pair(image_size);
  const [height, width] = pair(patch_size);
  const [rows, columns] = [image[0] / height, image[1] / width];
  if (!Number.isInteger(rows) || !Number.isInteger(columns))
    throw new UserError(
      `vit: patches of ${height} × ${width} do not cover an image of ${image[0]} × ${image[1]} pixels; ` +
        'choose an image_size that is a multiple of patch_size',
    );
  return { image, height, width, rows, columns };
}

/**
 * Equation 1 of the paper: a class token, then a linear map of every patch, row by row; learned positions are added.
 * The projection is stored as the convolution it is equal to, with a stride of one patch.
 */
export function embeddings(pixelValues: Images, config: VitConfig): Tokens {
  const { hidden_size } = config;
  const { rows, columns } = patchesOf(config);
  const patches = scope('patch_embeddings.projection', () => projectPatches(pixelValues, config));
  const classToken = expand(param('cls_token', [1, 1, hidden_size]), ['B', 1, hidden_size]);
  const tokens = concat([classToken, patches], 1);
  const positions = param('position_embeddings', [1, 1 + rows * columns, hidden_size]);
  const embedded: Tokens = add(tokens, positions);
  return embedded;
}

function projectPatches(pixelValues: Images, config: VitConfig): Tokens {
  const { num_channels: channels, hidden_size } = config;
  const { height, width, rows, columns } = patchesOf(config);
  const size = channels * height * width;
  const grid = reshape(pixelValues, ['B', channels, rows, height, columns, width]);
  const byPatch = permute(grid, [0, 2, 4, 1, 3, 5]);
  const patches = reshape(byPatch, ['B', rows * columns, size]);
  const weight = reshape(param('weight', [hidden_size, channels, height, width]), [hidden_size, size]);
  const projected = linear(patches, weight, param('bias', [hidden_size]));
  return projected;
}
