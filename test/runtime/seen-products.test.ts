import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Device, k, openDevice, type Tensor } from '../../src/runtime/index.ts';
import { randomSource } from '../../src/testing/random.ts';
import { testBackends } from '../support/backends.ts';

const LEFT = 12345;

const MODES = [
  { name: 'webasm, 1 thread', options: { backend: 'webasm', threads: 1 }, runs: 120 },
  { name: 'webasm, 3 threads', options: { backend: 'webasm', threads: 3 }, runs: 60 },
  { name: 'webasm, gpu.js kernels', options: { backend: 'webasm', kernels: 'gpujs' }, runs: 15 },
  { name: 'webgpu', options: { backend: 'webgpu' }, runs: 15 },
  { name: 'cpu', options: { backend: 'cpu' }, runs: 15 },
] as const;

/** Mostly small; sometimes past the ends of a tile, a packed block, and all of them. */
const extent = (most: number): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 20 }) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: most }) },
  );

const caseArbitrary = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  rows: extent(200),
  columns: extent(300),
  inner: extent(600),
  first: extent(300),
  of: fc.constantFrom('columnsSeen', 'termsSeen'),
  shared: fc.boolean(),
  /** Whether A, B and C lie in memory column by column. */
  turned: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  seed: fc.nat(),
});

describe.each(MODES.filter(({ options }) => testBackends.includes(options.backend)))(
  'products of which rows see the beginning, on $name',
  ({ options, runs }) => {
    let device: Device;
    beforeAll(async () => {
      device = await openDevice(options);
    });
    afterAll(() => device.destroy());

    const tensor = (shape: readonly number[], turned: boolean, value: (at: number) => number): Tensor => {
      const [z, y, x] = shape as [number, number, number];
      const made = turned ? device.alloc([z, x, y]).permute([0, 2, 1]) : device.alloc([z, y, x]);
      device.write(
        made,
        Float32Array.from({ length: z * y * x }, (_, at) => value(at)),
      );
      return made;
    };

    it('have the bits of the whole in all that is seen, and write nothing beside the result', async () => {
      await fc.assert(
        fc.asyncProperty(caseArbitrary, async (test) => {
          const { batch, rows, columns, inner, first, of, shared, turned, seed } = test;
          const next = randomSource(seed);
          const seenIn = (row: number, length: number): number => Math.min(length, first + row);
          const unseen = (at: number): boolean => at % inner >= seenIn(Math.floor(at / inner) % rows, inner);
          const a = tensor([batch, rows, inner], turned[0], (at) =>
            of === 'termsSeen' && unseen(at) ? 0 : 2 * next() - 1,
          );
          const b = tensor([shared ? 1 : batch, inner, columns], turned[1], () => 2 * next() - 1);
          const whole = tensor([batch, rows, columns], turned[2], () => LEFT);
          const around = tensor([batch, rows + 2, columns + 3], turned[2], () => LEFT);
          const into = around.slice(1, 1, rows + 1).slice(2, 2, columns + 2);
          k.matmul(a, b, { into: whole });
          k.matmul(a, b, { into, [of]: first });
          const [want, all] = await Promise.all([device.read(whole), device.read(around)]);
          const differs: number[] = [];
          all.forEach((value, at) => {
            const [row, column] = [Math.floor(at / (columns + 3)) % (rows + 2), at % (columns + 3)];
            const inside = row >= 1 && row <= rows && column >= 2 && column < columns + 2;
            const plane = Math.floor(at / ((columns + 3) * (rows + 2)));
            const expected = want[(plane * rows + row - 1) * columns + column - 2];
            const isSeen = of === 'termsSeen' || column - 2 < seenIn(row - 1, columns);
            if (inside ? isSeen && value !== expected : value !== LEFT) differs.push(at);
          });
          expect(differs).toEqual([]);
          for (const one of [a, b, whole, around]) one.free();
        }),
        { numRuns: runs },
      );
    });

    it('go on where they left off', async () => {
      const [rows, inner, columns] = [70, 300, 9];
      const next = randomSource(3);
      const a = tensor([1, rows, inner], false, (at) =>
        at % inner >= 5 + Math.floor(at / inner) ? 0 : 2 * next() - 1,
      );
      const b = tensor([1, inner, columns], false, () => 2 * next() - 1);
      const [whole, limited] = [0, 1].map(() => tensor([1, rows, columns], false, (at) => at % 7));
      k.matmul(a, b, { into: whole as Tensor, accumulate: true });
      k.matmul(a, b, { into: limited as Tensor, accumulate: true, termsSeen: 5 });
      expect(await device.read(limited as Tensor)).toEqual(await device.read(whole as Tensor));
    });

    it('refuse rows that see nothing', () => {
      const [a, into] = [device.alloc([3, 3]), device.alloc([3, 3])];
      for (const wrong of [{ columnsSeen: 0 }, { termsSeen: -1 }, { termsSeen: 1.5 }]) {
        expect(() => k.matmul(a, a, { into, ...wrong })).toThrow(/at least 1/);
      }
      expect(() => k.matmul(a, a, { into, columnsSeen: 1, termsSeen: 1 })).toThrow(/one of/);
    });
  },
);

it.each(testBackends.filter((backend) => backend !== 'cpu'))(
  'leave out what rows do not see, on %s',
  async (backend) => {
    const device = await openDevice({ backend });
    const size = 512;
    const data = Float32Array.from({ length: size * size }, () => 1);
    const [a, b] = [device.upload(data, [size, size]), device.upload(data, [size, size])];
    const into = device.upload(new Float32Array(size * size).fill(LEFT), [size, size]);
    k.matmul(a, b, { into, columnsSeen: 1 });
    const left = (await device.read(into)).filter((value) => value === LEFT).length;
    // All but the blocks or tiles that the diagonal goes through.
    expect(left / (size * size)).toBeGreaterThan(0.37);
    await device.destroy();
  },
);
