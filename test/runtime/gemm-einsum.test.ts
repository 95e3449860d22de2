import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/runtime/device.ts';
import * as k from '../../src/runtime/kernels/index.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';
import { randomSource } from '../../src/testing/random.ts';
import { type TunedDevices, tunedModes } from '../support/tuned-devices.ts';

/** Every way in which axes of a result and of a sum can depend on the operands. */
const EQUATIONS = [
  'ikc,jkc->ijc',
  'kic,kjc->ijc',
  'sia,sjb->ijab',
  'ijk,kl->ijl',
  'abk,abk->ab',
  'akbl,ckl->abc',
  'abcd,bcde->ae',
  'akblm,cklm->abc',
  'ij,k->kji',
  'ijk,ijk->',
  'bhqd,bhkd->bhqk',
];

const caseArbitrary = fc.record({
  equation: fc.constantFrom(...EQUATIONS),
  /** Extents by label; the labels of an equation take them in order. */
  extents: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1, max: 7 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 40 }) },
    ),
    { minLength: 6, maxLength: 6 },
  ),
  /** Which operands lie in memory with their axes reversed. */
  reversed: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  seed: fc.nat(),
});
type Case = typeof caseArbitrary extends fc.Arbitrary<infer T> ? T : never;

function operands(device: Device, { equation, extents, reversed, seed }: Case) {
  const [, left = '', right = '', result = ''] = /^(\w*),(\w*)->(\w*)$/.exec(equation) ?? [];
  const labels = [...new Set(left + right)];
  const extentOf = (label: string): number => extents[labels.indexOf(label)] as number;
  const next = randomSource(seed);
  const [a, b, into] = [left, right, result].map((term, i) => {
    const shape = [...term].map(extentOf);
    const axes = shape.map((_, axis) => shape.length - 1 - axis);
    const tensor = reversed[i]
      ? device.alloc(axes.map((axis) => shape[axis] as number)).permute(axes)
      : device.alloc(shape);
    const count = shape.reduce((x, y) => x * y, 1);
    device.write(
      tensor,
      Float32Array.from({ length: count }, () => 2 * next() - 1),
    );
    return tensor;
  }) as [Tensor, Tensor, Tensor];
  return { a, b, into, left, right, result };
}

const bits = async (tensor: Tensor): Promise<number[]> => {
  const values = await tensor.device.read(tensor);
  return [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
};

describe.each(tunedModes)('einsum by products on $name', ({ portion, open }) => {
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

  it('agrees with gpu.js kernels: bit for bit where both round twice', async () => {
    await fc.assert(
      fc.asyncProperty(caseArbitrary, async (test) => {
        const [mine, theirs] = [operands(tuned, test), operands(plain, test)];
        for (const { a, b, into } of [mine, theirs]) k.einsum(a, b, { into, equation: test.equation });
        if (!devices.sameBits) {
          const expected = await plain.read(theirs.into);
          (await tuned.read(mine.into)).forEach((value, i) => {
            if (!(Math.abs(value - (expected[i] as number)) <= 1e-4 * (1 + Math.abs(value))))
              expect(value).toBe(expected[i]);
          });
        } else expect(await bits(mine.into)).toEqual(await bits(theirs.into));
        for (const { a, b, into } of [mine, theirs]) for (const tensor of [a, b, into]) tensor.free();
      }),
      { numRuns: 200 * portion },
    );
  });

  it('gives any part of the result the bits that it has in the whole, however the part lies in memory', async () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(caseArbitrary, fc.nat(), share, share, async (test, which, from, to) => {
        const { a, b, into, left, right, result } = operands(tuned, test);
        k.einsum(a, b, { into, equation: test.equation });
        const axis = which % Math.max(1, result.length);
        const extent = into.shape[axis] ?? 0;
        if (extent > 0) {
          const start = Math.min(extent - 1, Math.floor(from * extent));
          const end = Math.min(extent, start + 1 + Math.floor(to * extent));
          const cut = (term: string, tensor: Tensor): Tensor => {
            const along = term.indexOf(result[axis] as string);
            if (along < 0) return tensor;
            // A copy: a part that was computed lies densely.
            const part = tensor.slice(along, start, end);
            return k.copy(part, { into: tuned.alloc(part.shape) });
          };
          const whole = into.slice(axis, start, end);
          const part = tuned.alloc(whole.shape);
          k.einsum(cut(left, a), cut(right, b), { into: part, equation: test.equation });
          expect(await bits(part)).toEqual(await bits(whole));
        }
      }),
      { numRuns: 300 * portion },
    );
  });

  it('runs as products, with lanes next to each other too', () => {
    for (const equation of EQUATIONS) {
      const { a, b, into } = operands(tuned, {
        ...{ equation, extents: [5, 6, 7, 8, 3, 2], reversed: [false, false, false], seed: 1 },
      });
      const { gpujs } = tuned.calls;
      k.einsum(a, b, { into, equation });
      expect(tuned.calls.gpujs).toBe(gpujs);
    }
  });
});
