import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/runtime/device.ts';
import * as k from '../../src/runtime/kernels/index.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';
import { WebasmDevice } from '../../src/runtime/webasm/device.ts';
import { randomSource } from '../../src/testing/random.ts';
import { type TunedDevices, tunedModes } from '../support/tuned-devices.ts';

const noise = (length: number, seed: number): Float32Array => {
  const next = randomSource(seed);
  return Float32Array.from({ length }, () => 2 * next() - 1);
};
const bits = async (tensor: Tensor): Promise<number[]> => {
  const values = await tensor.device.read(tensor);
  return [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
};

interface Case {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  /** Orders in which the axes lie in memory, of A, B and C. */
  readonly orders: readonly (readonly number[])[];
  /** Whether all matrices of the batch share A or B. */
  readonly shared: 'a' | 'b' | undefined;
  readonly seed: number;
}

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

/** Mostly small; sometimes past the ends of a tile, a packed block, and all of them. */
const extent = (most: number): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 20 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: most }) },
  );

const caseArbitrary: fc.Arbitrary<Case> = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  rows: extent(140),
  columns: extent(300),
  inner: fc.oneof({ weight: 9, arbitrary: extent(600) }, { weight: 1, arbitrary: fc.constant(0) }),
  orders: fc.array(fc.constantFrom(...ORDERS), { minLength: 3, maxLength: 3 }),
  shared: fc.constantFrom(undefined, undefined, 'a' as const, 'b' as const),
  seed: fc.nat(),
});

/** A tensor of three axes that lie in memory in another order. */
function laidOut(
  device: Device,
  shape: readonly number[],
  order: readonly number[],
  data?: Float32Array,
): Tensor {
  const stored = order.map((axis) => shape[axis] as number);
  const inverse = shape.map((_, axis) => order.indexOf(axis));
  const tensor = device.alloc(stored).permute(inverse);
  device.write(tensor, data ?? new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(12345));
  return tensor;
}

function operands(device: Device, { batch, rows, columns, inner, orders, shared, seed }: Case) {
  const [ofA, ofB, ofC] = orders as [number[], number[], number[]];
  const aBatch = shared === 'a' ? 1 : batch;
  const bBatch = shared === 'b' ? 1 : batch;
  return {
    a: laidOut(device, [aBatch, rows, inner], ofA, noise(aBatch * rows * inner, seed)),
    b: laidOut(device, [bBatch, inner, columns], ofB, noise(bBatch * inner * columns, seed + 1)),
    c: laidOut(device, [batch, rows, columns], ofC),
  };
}

function float64(a: Float32Array, b: Float32Array, test: Case, batch: number, row: number, column: number) {
  const { rows, columns, inner, shared } = test;
  let sum = 0;
  let size = 0;
  for (let i = 0; i < inner; i++) {
    const left = a[((shared === 'a' ? 0 : batch) * rows + row) * inner + i] as number;
    const right = b[((shared === 'b' ? 0 : batch) * inner + i) * columns + column] as number;
    sum += left * right;
    size += Math.abs(left * right);
  }
  return { sum, size };
}

describe.each(tunedModes)('matrix products on $name', ({ portion, open }) => {
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

  it('agree with float64, and with gpu.js kernels: bit for bit where both round twice', async () => {
    await fc.assert(
      fc.asyncProperty(caseArbitrary, async (test) => {
        const { a, b, c } = operands(tuned, test);
        const other = operands(plain, test);
        k.matmul(a, b, { into: c });
        k.matmul(other.a, other.b, { into: other.c });
        const [left, right, result] = await Promise.all([a, b, c].map((tensor) => tuned.read(tensor)));
        const reference = await plain.read(other.c);
        if (devices.sameBits) expect(await bits(c)).toEqual(await bits(other.c));
        result?.forEach((value, i) => {
          const { rows, columns, inner } = test;
          const { sum, size } = float64(
            left as Float32Array,
            right as Float32Array,
            test,
            Math.floor(i / (rows * columns)),
            Math.floor(i / columns) % rows,
            i % columns,
          );
          const tolerance = (inner + 1) * 2 ** -24 * size;
          if (Math.abs(value - sum) > tolerance) expect(value).toBe(sum);
          if (Math.abs((reference[i] as number) - value) > 2 * tolerance) expect(value).toBe(reference[i]);
        });
        for (const tensor of [a, b, c, other.a, other.b, other.c]) tensor.free();
      }),
      { numRuns: 120 * portion },
    );
  });

  it('give a part of rows, columns or batch the bits that it has in the whole', async () => {
    const part = fc.tuple(
      fc.constantFrom(0, 1, 2),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
    );
    await fc.assert(
      fc.asyncProperty(caseArbitrary, part, async (test, [axis, from, length]) => {
        const { a, b, c } = operands(tuned, test);
        k.matmul(a, b, { into: c });
        const whole = c.shape[axis] as number;
        const start = Math.min(whole - 1, Math.floor(from * whole));
        const end = Math.min(whole, start + 1 + Math.floor(length * whole));
        const cut = (tensor: Tensor, along: number): Tensor =>
          tensor.shape[along] === 1 && whole > 1 ? tensor : tensor.slice(along, start, end);
        const chunk = laidOut(
          tuned,
          c.shape.map((n, i) => (i === axis ? end - start : n)),
          test.orders[0] as number[],
        );
        k.matmul(axis === 2 ? a : cut(a, axis), axis === 1 ? b : cut(b, axis), { into: chunk });
        expect(await bits(chunk)).toEqual(await bits(c.slice(axis, start, end)));
        for (const tensor of [a, b, c, chunk]) tensor.free();
      }),
      { numRuns: 120 * portion },
    );
  });

  it('go on where they left off: a sum in parts has the bits of the sum at once', async () => {
    await fc.assert(
      fc.asyncProperty(caseArbitrary, fc.double({ min: 0, max: 1, noNaN: true }), async (test, share) => {
        const { a, b, c } = operands(tuned, test);
        const parts = laidOut(tuned, c.shape, test.orders[0] as number[]);
        k.matmul(a, b, { into: c });
        const middle = Math.floor(share * test.inner);
        k.matmul(a.slice(2, 0, middle), b.slice(1, 0, middle), { into: parts });
        k.matmul(a.slice(2, middle, test.inner), b.slice(1, middle, test.inner), {
          into: parts,
          accumulate: true,
        });
        expect(await bits(parts)).toEqual(await bits(c));
        for (const tensor of [a, b, c, parts]) tensor.free();
      }),
      { numRuns: 60 * portion },
    );
  });

  it('leave what lies around the result alone', async () => {
    const into = tuned.upload(new Float32Array(20 * 20).fill(7), [20, 20]);
    const a = tuned.upload(new Float32Array(9 * 3).fill(1), [9, 3]);
    const b = tuned.upload(new Float32Array(3 * 11).fill(1), [3, 11]);
    k.matmul(a, b, { into: into.slice(0, 4, 13).slice(1, 5, 16) });
    const values = await tuned.read(into);
    values.forEach((value, i) => {
      const inside = i >= 80 && i < 260 && i % 20 >= 5 && i % 20 < 16;
      expect(value).toBe(inside ? 3 : 7);
    });
    for (const tensor of [into, a, b]) tensor.free();
  });

  it.each([
    [[], 5],
    [[3], 5],
    [[2, 70], 300],
    [[3, 1], 1],
  ])('adds a bias last: %j rows, %i columns', async (lead, outer) => {
    const inner = 300;
    const count = lead.reduce((a, b) => a * b, 1);
    const data = [noise(count * inner, 1), noise(outer * inner, 2), noise(outer, 3)] as const;
    const results = [];
    for (const device of [tuned, plain]) {
      const x = device.upload(data[0], [...lead, inner]);
      const w = device.upload(data[1], [outer, inner]);
      const bias = device.upload(data[2], [outer]);
      const [into, without] = [device.alloc([...lead, outer]), device.alloc([...lead, outer])];
      k.linear(x, w, bias, { into });
      k.linear(x, w, { into: without });
      const sums = await device.read(without);
      expect([...(await device.read(into))]).toEqual(
        [...sums].map((sum, i) => Math.fround(sum + (data[2][i % outer] as number))),
      );
      results.push(sums);
      for (const tensor of [x, w, bias, into, without]) tensor.free();
    }
    const [mine, theirs] = results as [Float32Array, Float32Array];
    mine.forEach((value, i) => {
      expect(Math.abs(value - (theirs[i] as number))).toBeLessThan(1e-4);
    });
  });

  it('say how many calls they served', async () => {
    for (const [device, kernels] of [
      [tuned, 'tuned'],
      [plain, 'gpujs'],
    ] as const) {
      const a = device.upload([1, 2, 3, 4], [2, 2]);
      const into = device.alloc([2, 2]);
      const before = { ...device.calls };
      k.matmul(a, a, { into });
      expect(device.kernels).toBe(kernels);
      expect(device.calls).toEqual({ ...before, [kernels]: before[kernels] + 1 });
      for (const tensor of [a, into]) tensor.free();
    }
  });

  it('refuse a result that overwrites an operand', () => {
    const a = tuned.upload([1, 2, 3, 4], [2, 2]);
    expect(() => k.matmul(a, a, { into: a })).toThrow(/would overwrite/);
    a.free();
  });
});

it('products on webasm take workspace that is in no other figure', () => {
  const device = new WebasmDevice();
  const other = new WebasmDevice({ kernels: 'gpujs' });
  for (const opened of [device, other]) {
    const a = opened.upload([1, 2, 3, 4], [2, 2]);
    const into = opened.alloc([2, 2]);
    k.matmul(a, a, { into });
    expect(opened.memory.peakBytes).toBe(32);
    expect(opened.memory.reservedBytes).toBe(128);
  }
  expect(device.memory.workspaceBytes).toBeGreaterThan(0);
  expect(device.memory.workspaceBytes).toBeLessThan(512 * 1024);
  expect(other.memory.workspaceBytes).toBe(0);
});
