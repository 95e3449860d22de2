import { readFileSync } from 'node:fs';
import { UserError } from '../../errors.ts';
import { importOptional } from '../optional.ts';
import { systemReason } from '../write-file.ts';
import type { RgbImage } from './resize.ts';

/** File names that are taken for images. */
export const IMAGE_EXTENSIONS: readonly string[] = ['.png', '.jpg', '.jpeg'];

/**
 * Reads a PNG or JPEG file; transparency is dropped, grey becomes RGB.
 *
 * @throws UserError naming the file when it cannot be read, is neither or is damaged, or when the decoder is not installed
 */
export async function readImage(path: string): Promise<RgbImage> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new UserError(`cannot read ${path}: ${systemReason(cause)}`, { cause });
  }
  const decode = bytes.subarray(0, 4).equals(PNG_SIGNATURE)
    ? decodePng
    : bytes.subarray(0, 2).equals(JPEG_SIGNATURE)
      ? decodeJpeg
      : undefined;
  if (!decode) throw new UserError(`${path}: neither a PNG nor a JPEG image`);
  const decoder = await decode();
  try {
    const { width, height, data } = decoder(bytes);
    return { width, height, data: dropAlpha(data) };
  } catch (cause) {
    throw new UserError(
      `${path}: the image is damaged or of an unsupported kind: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
const JPEG_SIGNATURE = Buffer.from([0xff, 0xd8]);

type Decoder = (bytes: Buffer) => { width: number; height: number; data: Uint8Array };

async function decodePng(): Promise<Decoder> {
  const { PNG } = (await importOptional(() => import('pngjs'), 'pngjs', 'PNG images')).default;
  return (bytes) => PNG.sync.read(bytes);
}

async function decodeJpeg(): Promise<Decoder> {
  const jpeg = (await importOptional(() => import('jpeg-js'), 'jpeg-js', 'JPEG images')).default;
  // A damaged image must not become a grey one.
  return (bytes) => jpeg.decode(bytes, { useTArray: true, formatAsRGBA: true, tolerantDecoding: false });
}

function dropAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from] as number;
    rgb[to + 1] = rgba[from + 1] as number;
    rgb[to + 2] = rgba[from + 2] as number;
  }
  return rgb;
}
