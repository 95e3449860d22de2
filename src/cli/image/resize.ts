/** 8-bit RGB, row by row. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

interface Filter {
  /** Half of its width, in source pixels where the image grows. */
  readonly support: number;
  readonly weight: (distance: number) => number;
}

const FILTERS = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x)) },
} as const satisfies Readonly<Record<string, Filter>>;

export type Resampling = keyof typeof FILTERS;

/** Keys's kernel with a = -1/2. */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
}

/** Weights are integers of this many bits, so that every machine computes the same pixels. */
const PRECISION = 2 ** 22;

/**
 * Resizes as the image library of the common preprocessors does: columns, then rows, with a filter as wide as a target
 * pixel where the image shrinks (so that nothing is skipped), rounding to 8 bits after each.
 */
export function resizeImage(image: RgbImage, width: number, height: number, how: Resampling): RgbImage {
  const filter = FILTERS[how];
  return resample(resample(image, 'width', width, filter), 'height', height, filter);
}

function resample(image: RgbImage, axis: 'width' | 'height', to: number, filter: Filter): RgbImage {
  const from = image[axis];
  if (from === to) return image;
  const resized = { ...image, [axis]: to };
  const data = new Uint8Array(3 * resized.width * resized.height);
  // Elements from a pixel to the next one along the axis, and across it.
  const step = axis === 'width' ? 3 : 3 * image.width;
  const [across, outAcross] = axis === 'width' ? [3 * from, 3 * to] : [3, 3];
  const lines = axis === 'width' ? image.height : image.width;
  weights(from, to, filter).forEach(({ first, values }, at) => {
    for (let line = 0; line < lines; line++) {
      const base = line * across + first * step;
      const out = line * outAcross + at * step;
      for (let channel = 0; channel < 3; channel++) {
        let sum = PRECISION / 2;
        for (let i = 0; i < values.length; i++)
          sum += (image.data[base + i * step + channel] as number) * (values[i] as number);
        data[out + channel] = Math.min(255, Math.max(0, Math.floor(sum / PRECISION)));
      }
    }
  });
  return { ...resized, data };
}

interface Taps {
  readonly first: number;
  readonly values: readonly number[];
}

/** For each target pixel, the source pixels it is made of and their weights in units of 1 / PRECISION. */
function weights(from: number, to: number, filter: Filter): Taps[] {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const support = filter.support * stretch;
  return Array.from({ length: to }, (_, at) => {
    const center = (at + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const last = Math.min(from, Math.trunc(center + support + 0.5));
    const raw = Array.from({ length: last - first }, (_, i) =>
      filter.weight((first + i - center + 0.5) / stretch),
    );
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, values: raw.map((value) => roundAway((value / sum) * PRECISION)) };
  });
}

const roundAway = (x: number): number => Math.trunc(x < 0 ? x - 0.5 : x + 0.5);
