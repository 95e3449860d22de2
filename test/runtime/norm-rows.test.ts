import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Device, k, openDevice, type Tensor } from '../../src/runtime/index.ts';
import { randomSource } from '../../src/testing/random.ts';
import { testBackends } from '../support/backends.ts';

const next = randomSource(11);
const noise = (count: number, offset = 0): Float32Array =>
  Float32Array.from({ length: count }, () => offset + 4 * next() - 2);

/** Normalisation of one row in float64. */
function reference(row: readonly number[], weight: Float32Array, bias?: Float32Array): number[] {
  const mean = bias ? row.reduce((a, b) => a + b, 0) / row.length : 0;
  const square = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
  const scale = 1 / Math.sqrt(square + 1e-5);
  return row.map((x, i) => (x - mean) * scale * (weight[i] as number) + (bias?.[i] ?? 0));
}

describe.runIf(testBackends.includes('webgpu')).each(['layerNorm', 'rmsNorm'] as const)(
  '%s of rows by workgroups on webgpu',
  (kind) => {
    let device: Device;
    beforeAll(async () => {
      device = await openDevice({ backend: 'webgpu' });
    });
    afterAll(() => device.destroy());

    const parameters = (length: number): [Float32Array, Float32Array] => [noise(length), noise(length)];
    function normalise(
      x: Tensor,
      [weight, bias]: readonly [Float32Array, Float32Array],
      into: Tensor = device.alloc(x.shape),
    ): Tensor {
      const scratch = [0, 1].map(() => device.alloc(x.shape.slice(0, -1)));
      const [w, b] = [device.upload(weight, [weight.length]), device.upload(bias, [bias.length])];
      if (kind === 'layerNorm') k.layerNorm(x, w, b, { into, scratch });
      else k.rmsNorm(x, w, { into, scratch: scratch.slice(1) });
      for (const tensor of [...scratch, w, b]) tensor.free();
      return into;
    }
    const bits = async (tensor: Tensor): Promise<Uint32Array> =>
      new Uint32Array((await device.read(tensor)).buffer);

    it.each([
      [1, 1, 1],
      [2, 3, 2],
      [1, 70, 5],
      [3, 5, 64],
      [2, 9, 257],
      [2, 3, 1030],
    ])('agrees with float64 for [%i, %i, %i], of which it is one call', async (...shape) => {
      const length = shape[2];
      // Far from 0: sums of squares without the mean would lose everything.
      const data = noise(shape[0] * shape[1] * length, kind === 'layerNorm' ? 1000 : 0);
      const [weight, bias] = parameters(length);
      const before = { ...device.calls };
      const actual = await device.read(normalise(device.upload(data, shape), [weight, bias]));
      expect(device.calls).toEqual({ tuned: before.tuned + 1, gpujs: before.gpujs });
      for (let start = 0; start < data.length; start += length) {
        const row = [...data.subarray(start, start + length)];
        const expected = reference(row, weight, kind === 'layerNorm' ? bias : undefined);
        expected.forEach((value, i) => {
          // Of a mean around 1000, float32 keeps 3e-5.
          expect(Math.abs((actual[start + i] as number) - value)).toBeLessThan(2e-4);
        });
      }
    });

    it('gives a row the same bits alone, among others, and over itself', async () => {
      const [planes, rows, length] = [3, 37, 101];
      const x = device.upload(noise(planes * rows * length), [planes, rows, length]);
      const given = parameters(length);
      const whole = await bits(normalise(x, given));
      for (const [from, to] of [
        [0, 1],
        [5, 6],
        [11, 37],
      ] as const) {
        const part = await bits(normalise(x.slice(1, from, to), given));
        for (let plane = 0; plane < planes; plane++) {
          const inWhole = (plane * rows + from) * length;
          const size = (to - from) * length;
          expect(part.subarray(plane * size, (plane + 1) * size)).toEqual(
            whole.subarray(inWhole, inWhole + size),
          );
        }
      }
      expect(await bits(normalise(x, given, x))).toEqual(whole);
    });

    it('gives rows the same bits however they are laid out', async () => {
      const [rows, length] = [9, 83];
      const x = device.upload(noise(rows * length), [rows, length]);
      const given = parameters(length);
      const whole = await bits(normalise(x, given));
      const transposed = k.copy(x.permute([1, 0]), { into: device.alloc([length, rows]) }).permute([1, 0]);
      expect(await bits(normalise(transposed, given))).toEqual(whole);
      const into = device.alloc([length, rows]).permute([1, 0]);
      expect(await bits(normalise(x, given, into))).toEqual(whole);
      expect(await bits(normalise(transposed, given, transposed))).toEqual(whole);
    });

    it('writes nothing beside its rows', async () => {
      const into = device.upload(new Float32Array(30).fill(70), [3, 10]);
      normalise(device.upload(noise(15), [3, 5]), parameters(5), into.slice(1, 2, 7));
      (await device.read(into)).forEach((value, i) => {
        const inside = i % 10 >= 2 && i % 10 < 7;
        expect(value === 70).toBe(!inside);
      });
    });
  },
);
