import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { afterAll, describe, expect, test } from 'vitest';
import { readImage } from '../../src/cli/image/decode.ts';
import { DEFAULT_PREPROCESSING, preprocessImage, readPreprocessing } from '../../src/cli/image/preprocess.ts';
import { type RgbImage, resizeImage } from '../../src/cli/image/resize.ts';
import { importOptional } from '../../src/cli/optional.ts';

const folder = mkdtempSync(join(tmpdir(), 'autochunk-image-'));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

/** Grey values, one row, as an image. */
const row = (...values: number[]): RgbImage => ({
  width: values.length,
  height: 1,
  data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
});
const greys = ({ data }: RgbImage): number[] => [...data].filter((_, i) => i % 3 === 0);
const column = (image: RgbImage): RgbImage => ({ ...image, width: 1, height: image.width });

describe('resizing', () => {
  test('weighs by distance, with a wider filter where it shrinks', () => {
    // 4 → 2: the triangle reaches 2 pixels, weights 3, 3, 1 of 7.
    expect(greys(resizeImage(row(0, 70, 140, 210), 2, 1, 'bilinear'))).toEqual([50, 160]);
    // 2 → 4: a quarter of the way between neighbours; the edges repeat.
    expect(greys(resizeImage(row(0, 100), 4, 1, 'bilinear'))).toEqual([0, 25, 75, 100]);
    // Keys's cubic a quarter of the way: weights -9, 111, 29, -3 of 128, renormalised at the edges; overshoot is cut.
    expect(greys(resizeImage(row(0, 0, 128, 128), 8, 1, 'bicubic'))).toEqual([
      0, 0, 0, 26, 102, 137, 131, 128,
    ]);
    expect(greys(resizeImage(row(0, 255), 4, 1, 'bicubic'))[0]).toBe(0);
  });

  test('rows and columns alike, channels apart', () => {
    const down = resizeImage(column(row(0, 70, 140, 210)), 1, 2, 'bilinear');
    expect([down.width, down.height, greys(down)]).toEqual([1, 2, [50, 160]]);
    const colours: RgbImage = { width: 2, height: 1, data: Uint8Array.of(0, 50, 200, 100, 50, 100) };
    expect([...resizeImage(colours, 1, 1, 'bilinear').data]).toEqual([50, 50, 150]);
  });

  test('a plain image stays plain, its own size leaves it alone', () => {
    const size = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(size, size, size, size, fc.integer({ min: 0, max: 255 }), (w, h, toW, toH, grey) => {
        const plain = { width: w, height: h, data: new Uint8Array(3 * w * h).fill(grey) };
        for (const how of ['bilinear', 'bicubic'] as const) {
          const { width, height, data } = resizeImage(plain, toW, toH, how);
          expect([width, height, data.length]).toEqual([toW, toH, 3 * toW * toH]);
          expect(data.every((value) => value === grey)).toBe(true);
        }
        expect(resizeImage(plain, w, h, 'bilinear')).toEqual(plain);
      }),
    );
  });
});

describe('decoding', () => {
  const pixels = Uint8Array.of(10, 20, 30, 255, 200, 100, 0, 128);

  test('PNG exactly, without its transparency', async () => {
    const png = new PNG({ width: 2, height: 1 });
    png.data.set(pixels);
    const image = await readImage(write('a.png', PNG.sync.write(png)));
    expect(image).toEqual({ width: 2, height: 1, data: Uint8Array.of(10, 20, 30, 200, 100, 0) });
    const grey = await readImage(write('grey.png', PNG.sync.write(png, { colorType: 0 })));
    expect(grey.data[0]).toBe(grey.data[2]);
  });

  test('JPEG, whatever the name says', async () => {
    const data = Buffer.alloc(4 * 64, 120);
    const { data: bytes } = jpeg.encode({ width: 8, height: 8, data }, 95);
    const image = await readImage(write('b.png', bytes));
    expect([image.width, image.height, image.data.length]).toEqual([8, 8, 192]);
    expect(Math.abs((image.data[0] as number) - 120)).toBeLessThanOrEqual(2);
    await expect(readImage(write('cut.jpg', bytes.subarray(0, bytes.length / 2)))).rejects.toThrow(
      /cut\.jpg: the image is damaged or of an unsupported kind/,
    );
  });
});

describe('preprocessing', () => {
  const settings = (json: object) =>
    readPreprocessing(write('preprocessor_config.json', JSON.stringify(json)));

  test('the defaults are those of ViT: channels first, -1 to 1', () => {
    const image: RgbImage = { width: 2, height: 1, data: Uint8Array.of(0, 255, 51, 0, 255, 51) };
    const out = preprocessImage(image, [1, 2], DEFAULT_PREPROCESSING, 'x');
    expect([...out]).toEqual([-1, -1, 1, 1, Math.fround(-0.6), Math.fround(-0.6)]);
    expect(settings({ size: { height: 224, width: 224 } })).toEqual(DEFAULT_PREPROCESSING);
    expect(settings({ size: 224, resample: 2, do_normalize: true })).toEqual(DEFAULT_PREPROCESSING);
  });

  test('the shorter edge, then the middle', () => {
    const how = settings({
      size: { shortest_edge: 2 },
      do_center_crop: true,
      crop_size: 2,
      do_normalize: false,
      do_rescale: false,
    });
    const wide: RgbImage = { width: 6, height: 2, data: Uint8Array.from({ length: 36 }, (_, i) => i) };
    expect([...preprocessImage(wide, [2, 2], how, 'x')].slice(0, 4)).toEqual([6, 9, 24, 27]);
    expect(() => preprocessImage(wide, [3, 3], how, 'input x: a.png')).toThrow(
      'input x: a.png: the model takes 3 × 3 pixels, the image has 6 × 2, after preprocessing 6 × 2',
    );
    expect(() => preprocessImage(wide, [3, 3], settings({ do_resize: false }), 'x')).toThrow(
      'x: the model takes 3 × 3 pixels, the image has 6 × 2 and is not to be resized (do_resize of preprocessor_config.json)',
    );
  });
});

test('a decoder that is not installed', async () => {
  const load = () => import('no-such-package' as string);
  await expect(importOptional(load, 'no-such-package', 'PNG images')).rejects.toThrow(
    'PNG images need the package no-such-package, which cannot be loaded: run npm install no-such-package',
  );
});
