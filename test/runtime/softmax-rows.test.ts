import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Device, k, openDevice, type Tensor } from '../../src/runtime/index.ts';
import { testBackends } from '../support/backends.ts';

const LOWEST = -3.4028234663852886e38;

/** Rows of softmax in float64, from differences to the largest element as float32 has them. */
function reference(data: Float32Array, length: number): Float64Array {
  const out = new Float64Array(data.length);
  for (let start = 0; start < data.length; start += length) {
    const row = [...data.subarray(start, start + length)];
    const largest = Math.max(...row);
    const weights = row.map((x) => Math.exp(Math.fround(x - largest)));
    const total = weights.reduce((a, b) => a + b, 0);
    weights.forEach((weight, i) => {
      out[start + i] = weight / total;
    });
  }
  return out;
}

const random = (count: number, scale = 8): Float32Array => {
  let state = 12345;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state / 0x40000000 - 1) * scale;
  });
};

const MODES = [
  { name: 'webasm, 1 thread', options: { backend: 'webasm', threads: 1 }, relative: 1e-6 },
  { name: 'webasm, 3 threads', options: { backend: 'webasm', threads: 3 }, relative: 1e-6 },
  // WGSL: exp has an error of 3 ulp plus 2 a unit of its argument, which reaches 16 here.
  { name: 'webgpu', options: { backend: 'webgpu' }, relative: 5e-6 },
] as const;

describe.each(MODES.filter(({ options }) => testBackends.includes(options.backend)))(
  'softmax of rows on $name',
  ({ options, relative }) => {
    let device: Device;
    beforeAll(async () => {
      device = await openDevice(options);
    });
    afterAll(() => device.destroy());

    /** Softmax along the last axis, into a new tensor or into `into`. */
    const softmax = (x: Tensor, into?: Tensor): Tensor => {
      const scratch = [0, 1].map(() => device.alloc(x.shape.slice(0, -1)));
      const out = k.softmax(x, { axis: x.shape.length - 1, into: into ?? device.alloc(x.shape), scratch });
      for (const one of scratch) one.free();
      return out;
    };
    const bits = async (tensor: Tensor): Promise<Uint32Array> =>
      new Uint32Array((await device.read(tensor)).buffer);

    it.each([
      [1, 1, 1],
      [2, 3, 2],
      [1, 7, 3],
      [3, 5, 15],
      [2, 9, 16],
      [1, 4, 17],
      [2, 33, 63],
      [1, 129, 257],
      [4, 16, 1024],
    ])('agrees with float64 for [%i, %i, %i]', async (...shape) => {
      const data = random(shape[0] * shape[1] * shape[2]);
      const tuned = device.calls.tuned;
      const actual = await device.read(softmax(device.upload(data, shape)));
      expect(device.calls.tuned).toBe(tuned + 1);
      const expected = reference(data, shape[2]);
      actual.forEach((value, i) => {
        expect(Math.abs(value - (expected[i] as number))).toBeLessThanOrEqual(
          relative * (expected[i] as number) + 1e-37,
        );
      });
    });

    it('gives a row the same bits alone, among others, and over itself', async () => {
      const [planes, rows, length] = [3, 37, 101];
      const x = device.upload(random(planes * rows * length), [planes, rows, length]);
      const whole = await bits(softmax(x));
      for (const [from, to] of [
        [0, 1],
        [5, 6],
        [11, 37],
      ] as const) {
        const part = await bits(softmax(x.slice(1, from, to)));
        for (let plane = 0; plane < planes; plane++) {
          const inWhole = (plane * rows + from) * length;
          const size = (to - from) * length;
          expect(part.subarray(plane * size, (plane + 1) * size)).toEqual(
            whole.subarray(inWhole, inWhole + size),
          );
        }
      }
      expect(await bits(softmax(x, x))).toEqual(whole);
    });

    it('writes nothing beside its rows', async () => {
      const into = device.upload(new Float32Array(3 * 10).fill(7), [3, 10]);
      const x = device.upload(random(3 * 5), [3, 5]);
      softmax(x, into.slice(1, 2, 7));
      const all = await device.read(into);
      all.forEach((value, i) => {
        const column = i % 10;
        if (column < 2 || column >= 7) expect(value).toBe(7);
        else expect(value).toBeLessThan(1);
      });
    });

    it.each([
      [1, 1, 3],
      [2, 7, 4],
      [3, 5, 19],
      [2, 9, 83],
    ])('gives rows the same bits however they are laid out: [%i, %i, %i]', async (...shape) => {
      const data = random(shape[0] * shape[1] * shape[2]);
      const x = device.upload(data, shape);
      const whole = await bits(softmax(x));
      const order = [2, 0, 1];
      const turned = (tensor: Tensor): Tensor => tensor.permute([1, 2, 0]);
      const transposed = (): Tensor =>
        k.copy(x.permute(order), { into: device.alloc(order.map((axis) => shape[axis] as number)) });
      expect(await bits(softmax(turned(transposed())))).toEqual(whole);
      const into = device.alloc([shape[2], shape[0], shape[1]]);
      expect(await bits(softmax(x, turned(into)))).toEqual(whole);
      const inPlace = turned(transposed());
      expect(await bits(softmax(inPlace, inPlace))).toEqual(whole);
    });

    it('leaves out masked elements at the end of a row without changing a bit', async () => {
      for (const [seen, length] of [
        [1, 2],
        [5, 8],
        [10, 17],
        [64, 66],
        [300, 700],
      ] as const) {
        const data = random(length);
        const masked = data.map((value, i) => (i < seen ? value : LOWEST));
        const whole = await bits(softmax(device.upload(masked, [1, length])));
        const part = await bits(softmax(device.upload(data.slice(0, seen), [1, seen])));
        expect(whole.subarray(0, seen)).toEqual(part);
        expect(whole.subarray(seen).every((word) => word === 0)).toBe(true);
      }
    });

    it('weighs a row without any key alike, and keeps what is no number', async () => {
      const alike = await device.read(softmax(device.upload(new Float32Array(6).fill(LOWEST), [1, 6])));
      expect([...alike]).toEqual(new Array(6).fill(Math.fround(1 / 6)));
      // WGSL lets adapters assume that there is no NaN.
      if (device.backend === 'webgpu') return;
      for (const extreme of [Number.NaN, Number.POSITIVE_INFINITY]) {
        for (const at of [0, 4, 6]) {
          const row = random(7);
          row[at] = extreme;
          const out = await device.read(softmax(device.upload(row, [1, 7])));
          expect(out.some(Number.isNaN)).toBe(true);
          expect(Number.isNaN(out[at])).toBe(true);
        }
      }
    });

    /** The mask and softmax in one call, into a new tensor or into `into`. */
    const causal = (x: Tensor, rowStart: number, into?: Tensor): Tensor => {
      const scratch = [0, 1].map(() => device.alloc(x.shape.slice(0, -1)));
      const out = k.causalSoftmax(x, { rowStart, into: into ?? device.alloc(x.shape), scratch });
      for (const one of scratch) one.free();
      return out;
    };
    const same = (a: Uint32Array, b: Uint32Array): boolean =>
      a.length === b.length && a.every((word, i) => word === b[i]);
    const apart = (x: Tensor, rowStart: number): Promise<Uint32Array> =>
      bits(softmax(k.causalMask(x, { rowStart, into: device.alloc(x.shape) })));

    it.each<[number[], number[]]>([
      [
        [1, 1, 1],
        [-1, 0, 1],
      ],
      [
        [2, 3, 2],
        [-2, 0, 1],
      ],
      [
        [1, 7, 7],
        [-3, 0, 2, 6],
      ],
      [
        [3, 5, 15],
        [-7, -1, 9, 12],
      ],
      [
        [2, 33, 63],
        [0, 29, 30, 31],
      ],
      [
        [1, 129, 257],
        [0, 100],
      ],
      [
        [4, 32, 300],
        [0, 268],
      ],
      [
        [2, 3, 4, 9],
        [-1, 3],
      ],
    ])('masks what rows do not see without a call and changes no bit: %j', async (shape, starts) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const rank: number = shape.length;
      const order = [rank - 1, ...shape.keys()].slice(0, rank);
      for (const rowStart of starts) {
        for (const data of [random(size), new Float32Array(size).fill(LOWEST), new Float32Array(size)]) {
          const x = device.upload(data, shape);
          const want = await apart(x, rowStart);
          const tuned = device.calls.tuned;
          const gpujs = device.calls.gpujs;
          expect(same(await bits(causal(x, rowStart)), want)).toBe(true);
          expect(device.calls).toEqual({ tuned: tuned + 1, gpujs });
          // Rows next to each other, then from an operand laid out otherwise, then over it.
          const turned = (): Tensor =>
            k
              .copy(x.permute(order), { into: device.alloc(order.map((axis) => shape[axis] as number)) })
              .permute([...shape.keys()].map((axis) => (axis + 1) % rank));
          expect(same(await bits(causal(turned(), rowStart)), want)).toBe(true);
          const over = turned();
          expect(same(await bits(causal(over, rowStart, over)), want)).toBe(true);
          expect(same(await bits(causal(x, rowStart, x)), want)).toBe(true);
        }
      }
    });

    it('masks rows whose elements are no finite numbers as apart', async () => {
      // WGSL lets adapters assume that there are none.
      if (device.backend === 'webgpu') return;
      const [rows, length] = [6, 11];
      for (const extreme of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        for (const at of [0, 3, 8]) {
          const data = random(rows * length).map((value, i) => (i % length === at ? extreme : value));
          const lowest = data.map((value, i) => (i % length < at ? Number.NEGATIVE_INFINITY : value));
          for (const each of [data, lowest]) {
            const x = device.upload(each, [rows, length]);
            const masked = k.causalMask(x, { rowStart: 2, into: device.alloc([rows, length]) });
            expect(await device.read(causal(x, 2))).toEqual(await device.read(softmax(masked)));
          }
        }
      }
    });

    it('gives a row of a causal softmax the bits that it has in any chunk of rows and of columns', async () => {
      const [planes, rows, length] = [3, 41, 47];
      const x = device.upload(random(planes * rows * length), [planes, rows, length]);
      const whole = await bits(causal(x, 2));
      for (const [from, to] of [
        [0, 1],
        [7, 19],
        [30, 41],
      ] as const) {
        // The last row sees this many.
        for (const columns of [to + 2, length]) {
          const part = await bits(causal(x.slice(1, from, to).slice(2, 0, columns), from + 2));
          for (let at = 0; at < part.length; at++) {
            const [plane, rest] = [Math.floor(at / ((to - from) * columns)), at % ((to - from) * columns)];
            const [row, column] = [Math.floor(rest / columns), rest % columns];
            expect(part[at]).toBe(whole[(plane * rows + from + row) * length + column]);
          }
        }
      }
    });

    it('does not overflow', async () => {
      const large = await device.read(softmax(device.upload([3e38, -3e38, 3e38, 0, 0], [1, 5])));
      expect([...large]).toEqual([0.5, 0, 0.5, 0, 0]);
    });
  },
);
