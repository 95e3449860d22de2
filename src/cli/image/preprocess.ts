import { UserError } from '../../errors.ts';
import { ConfigReader, readJsonObject } from '../../weights/index.ts';
import { type Resampling, type RgbImage, resizeImage } from './resize.ts';

/** How pixels become the input of a model: the fields of a checkpoint's `preprocessor_config.json`. */
export interface Preprocessing {
  /** `exact`: to the model's size. A number: the shorter edge. Absent: the image must have the right size. */
  readonly resize?: 'exact' | number;
  readonly resampling: Resampling;
  /** Cut the middle out afterwards. */
  readonly crop: boolean;
  /** Pixel value → (value · rescale - mean) / std. */
  readonly rescale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** What a ViT expects: values from -1 to 1. */
export const DEFAULT_PREPROCESSING: Preprocessing = {
  resize: 'exact',
  resampling: 'bilinear',
  crop: false,
  rescale: 1 / 255,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};

/**
 * Reads `preprocessor_config.json`.
 *
 * @throws UserError naming every field that is wrong or not supported
 */
export function readPreprocessing(path: string): Preprocessing {
  const fields = new ConfigReader(readJsonObject(path), undefined, path);
  const numbers = (name: string, absent: readonly [number, number, number]) => {
    const value = fields.raw(name) ?? absent;
    if (
      Array.isArray(value) &&
      value.length === 3 &&
      value.every((x) => typeof x === 'number' && Number.isFinite(x))
    )
      return value as unknown as readonly [number, number, number];
    fields.reject(name, `expected three numbers, got ${JSON.stringify(value)}`);
    return absent;
  };
  const size = fields.raw('size');
  const shortest = typeof size === 'object' ? (size as { shortest_edge?: unknown }).shortest_edge : undefined;
  if (shortest !== undefined && !(Number.isSafeInteger(shortest) && (shortest as number) > 0))
    fields.reject('size', `expected a positive shortest_edge, got ${JSON.stringify(shortest)}`);
  const normalises = fields.boolean('do_normalize', true);
  const preprocessing: Preprocessing = {
    ...(fields.boolean('do_resize', true)
      ? { resize: shortest === undefined ? 'exact' : (shortest as number) }
      : {}),
    resampling: resampling(fields),
    crop: fields.boolean('do_center_crop', false),
    rescale: fields.boolean('do_rescale', true) ? fields.number('rescale_factor', 1 / 255) : 1,
    mean: normalises ? numbers('image_mean', DEFAULT_PREPROCESSING.mean) : [0, 0, 0],
    std: normalises ? numbers('image_std', DEFAULT_PREPROCESSING.std) : [1, 1, 1],
  };
  if (preprocessing.std.includes(0)) fields.reject('image_std', 'must not be 0');
  fields.finish();
  return preprocessing;
}

/** The numbers of PIL's filters. */
function resampling(fields: ConfigReader): Resampling {
  const value = fields.raw('resample') ?? 2;
  if (value === 2) return 'bilinear';
  if (value === 3) return 'bicubic';
  fields.refuse(
    'resample',
    `${JSON.stringify(value)} is not supported; supported: 2 (bilinear), 3 (bicubic)`,
  );
  return 'bilinear';
}

/**
 * An image as the elements of a tensor [3, height, width].
 *
 * @throws UserError when the settings do not lead to that size
 */
export function preprocessImage(
  image: RgbImage,
  [height, width]: readonly [number, number],
  how: Preprocessing,
  name: string,
): Float32Array {
  const resized = resize(image, width, height, how);
  const cut = how.crop ? cropMiddle(resized, width, height) : resized;
  if (cut.width !== width || cut.height !== height)
    throw new UserError(
      `${name}: the model takes ${width} × ${height} pixels, the image has ${image.width} × ${image.height}` +
        (how.resize === undefined
          ? ' and is not to be resized (do_resize of preprocessor_config.json)'
          : `, after preprocessing ${cut.width} × ${cut.height}`),
    );
  const pixels = width * height;
  const out = new Float32Array(3 * pixels);
  for (let channel = 0; channel < 3; channel++) {
    const mean = how.mean[channel] as number;
    const std = how.std[channel] as number;
    for (let i = 0; i < pixels; i++)
      out[channel * pixels + i] = ((cut.data[3 * i + channel] as number) * how.rescale - mean) / std;
  }
  return out;
}

function resize(image: RgbImage, width: number, height: number, how: Preprocessing): RgbImage {
  if (how.resize === undefined) return image;
  if (how.resize === 'exact') return resizeImage(image, width, height, how.resampling);
  const short = Math.min(image.width, image.height);
  const edge = how.resize;
  const scaled = (extent: number) => (extent === short ? edge : Math.trunc((edge * extent) / short));
  return resizeImage(image, scaled(image.width), scaled(image.height), how.resampling);
}

function cropMiddle(image: RgbImage, width: number, height: number): RgbImage {
  if (image.width < width || image.height < height) return image;
  const left = Math.floor((image.width - width) / 2);
  const top = Math.floor((image.height - height) / 2);
  const data = new Uint8Array(3 * width * height);
  for (let row = 0; row < height; row++) {
    const from = 3 * ((top + row) * image.width + left);
    data.set(image.data.subarray(from, from + 3 * width), 3 * row * width);
  }
  return { width, height, data };
}
