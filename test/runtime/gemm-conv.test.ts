import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/runtime/device.ts';
import * as k from '../../src/runtime/kernels/index.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';
import { randomSource } from '../../src/testing/random.ts';
import { type TunedDevices, tunedModes } from '../support/tuned-devices.ts';

const noise = (shape: readonly number[], seed: number): Float32Array => {
  const next = randomSource(seed);
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * next() - 1);
};

const small = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
const side = fc.oneof({ weight: 4, arbitrary: small(12) }, { weight: 1, arbitrary: small(40) });
const pair = (max: number, min = 1) =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max })) as fc.Arbitrary<[number, number]>;

const caseArbitrary = fc
  .record({
    batch: small(2),
    groups: fc.constantFrom(1, 1, 1, 2, 3),
    inGroup: fc.oneof({ weight: 3, arbitrary: small(6) }, { weight: 1, arbitrary: small(150) }),
    outGroup: fc.oneof({ weight: 3, arbitrary: small(6) }, { weight: 1, arbitrary: small(80) }),
    image: fc.tuple(side, side),
    kernel: pair(4),
    stride: fc.oneof(fc.constant<[number, number]>([1, 1]), pair(3)),
    dilation: fc.oneof(fc.constant<[number, number]>([1, 1]), pair(3)),
    padding: pair(4, 0),
    biased: fc.boolean(),
    turned: fc.boolean(),
    /** Whether columns of kernels lie one below the other. */
    turnedWeight: fc.boolean(),
    seed: fc.nat(),
  })
  .filter(({ image, kernel, dilation, padding }) =>
    [0, 1].every((i) => {
      const at = i as 0 | 1;
      return image[at] + 2 * padding[at] >= dilation[at] * (kernel[at] - 1) + 1;
    }),
  );

type Case = typeof caseArbitrary extends fc.Arbitrary<infer T> ? T : never;

const placesOf = ({ image, kernel, stride, dilation, padding }: Case): [number, number] => {
  const along = (i: 0 | 1): number =>
    Math.floor((image[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i]) + 1;
  return [along(0), along(1)];
};

/** `turned`: columns of images lie one below the other. */
function operands(device: Device, test: Case) {
  const { batch, groups, inGroup, outGroup, image, kernel, biased, turned, turnedWeight, seed } = test;
  const laidOut = (turned: boolean, shape: readonly number[], data?: Float32Array): Tensor => {
    const [n, c, h, w] = shape as [number, number, number, number];
    const tensor = turned ? device.alloc([n, w, h, c]).permute([0, 3, 2, 1]) : device.alloc(shape);
    device.write(tensor, data ?? new Float32Array(n * c * h * w).fill(12345));
    return tensor;
  };
  const [xShape, wShape] = [
    [batch, groups * inGroup, ...image],
    [groups * outGroup, inGroup, ...kernel],
  ];
  return {
    x: laidOut(turned, xShape, noise(xShape, seed)),
    weight: laidOut(turnedWeight, wShape, noise(wShape, seed + 1)),
    bias: biased ? device.upload(noise([groups * outGroup], seed + 2), [groups * outGroup]) : undefined,
    into: laidOut(turned, [batch, groups * outGroup, ...placesOf(test)]),
  };
}

type Operands = ReturnType<typeof operands>;
const convolve = ({ x, weight, bias, into }: Operands, { stride, dilation, padding }: Case): void => {
  const options = { into, stride, dilation, padding } as const;
  if (bias) k.conv2d(x, weight, bias, options);
  else k.conv2d(x, weight, options);
};
const free = ({ x, weight, bias, into }: Operands): void => {
  for (const tensor of [x, weight, bias, into]) tensor?.free();
};
const bits = async (tensor: Tensor): Promise<number[]> => {
  const values = await tensor.device.read(tensor);
  return [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
};

describe.each(tunedModes)('convolutions by GEMM on $name', ({ portion, open }) => {
  let devices: TunedDevices;
  let tuned: Device;
  let plain: Device;
  beforeAll(async () => {
    devices = await open();
    ({ tuned, plain } = devices);
  });
  afterAll(async () => {
    await tuned.destroy();
    await plain.destroy();
  });

  it('agree with gpu.js kernels: bit for bit where both round twice', async () => {
    await fc.assert(
      fc.asyncProperty(caseArbitrary, async (test) => {
        const [mine, theirs] = [operands(tuned, test), operands(plain, test)];
        convolve(mine, test);
        convolve(theirs, test);
        if (!devices.sameBits) {
          const expected = await plain.read(theirs.into);
          (await tuned.read(mine.into)).forEach((value, i) => {
            const tolerance = 1e-4 * (1 + Math.abs(value));
            if (!(Math.abs(value - (expected[i] as number)) <= tolerance)) expect(value).toBe(expected[i]);
          });
        } else expect(await bits(mine.into)).toEqual(await bits(theirs.into));
        for (const used of [mine, theirs]) free(used);
      }),
      { numRuns: 120 * portion },
    );
  });

  it('give output channels, rows and columns of images the bits that they have in the whole', async () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        caseArbitrary,
        fc.constantFrom(1, 2, 3),
        share,
        share,
        async (test, axis, from, to) => {
          const all = operands(tuned, test);
          const { x, weight, bias, into } = all;
          convolve(all, test);
          const whole = test.groups > 1 && axis === 1 ? 1 : (into.shape[axis] as number);
          const start = Math.min(whole - 1, Math.floor(from * whole));
          const end = Math.min(whole, start + 1 + Math.floor(to * whole));
          const chunk = tuned.alloc(into.shape.map((n, i) => (i === axis && whole > 1 ? end - start : n)));
          const parts: Operands = { ...all, into: chunk };
          let options = test;
          if (axis === 1 && whole > 1) {
            parts.weight = weight.slice(0, start, end);
            parts.bias = bias?.slice(0, start, end);
          } else if (axis > 1) {
            // The rows or columns that the windows of the chunk see; beyond the image, padding on either side.
            const i = (axis - 2) as 0 | 1;
            const first = start * test.stride[i] - test.padding[i];
            const last =
              (end - 1) * test.stride[i] - test.padding[i] + test.dilation[i] * (test.kernel[i] - 1);
            const [low, high] = [Math.max(0, first), Math.min(test.image[i] - 1, last)];
            if (high < low) return;
            parts.x = x.slice(axis, low, high + 1);
            const sides: [number, number, number, number] = [
              test.padding[0],
              test.padding[0],
              test.padding[1],
              test.padding[1],
            ];
            sides[2 * i] = low - first;
            sides[2 * i + 1] = last - high;
            options = { ...test, padding: sides as unknown as [number, number] };
          }
          convolve(parts, options);
          expect(await bits(chunk)).toEqual(await bits(whole > 1 ? into.slice(axis, start, end) : into));
          free(all);
          chunk.free();
        },
      ),
      { numRuns: 120 * portion },
    );
  });

  it('run as GEMM: with kernels of one element, in groups, with every stride', () => {
    const run = (kernel: [number, number], stride: [number, number], groups: 1 | 3): void => {
      const test: Case = {
        ...{ batch: 1, groups, inGroup: 2, outGroup: 2, image: [6, 6], kernel, stride },
        ...{ dilation: [1, 1], padding: [0, 0], biased: true, turned: false, turnedWeight: true, seed: 1 },
      };
      const all = operands(tuned, test);
      const before = { ...tuned.calls };
      convolve(all, test);
      expect(tuned.calls.gpujs).toBe(before.gpujs);
      expect(tuned.calls.tuned).toBeGreaterThan(before.tuned);
      free(all);
    };
    run([1, 1], [1, 1], 1);
    run([1, 1], [2, 2], 1);
    run([3, 3], [1, 1], 1);
    run([3, 3], [2, 1], 3);
  });
});
