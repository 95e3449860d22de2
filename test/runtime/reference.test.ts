import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/runtime/device.ts';
import { type PackedArray, runThroughGpujs } from '../../src/runtime/gpujs/reference.ts';
import type { Kernel } from '../../src/runtime/kernel.ts';
import { openDevice } from '../../src/runtime/open.ts';
import { testBackends } from '../support/backends.ts';
import { affine, gatherElements, gatherRows, matmul, mixed, pad } from './kernels.ts';

type Shape3 = [number, number, number];

const noise = (shape: Shape3, seed: number): PackedArray => ({
  data: Float32Array.from(
    { length: shape[0] * shape[1] * shape[2] },
    (_, i) => Math.sin(i * 12.9898 + seed) * 3,
  ),
  shape,
});
const indices = (shape: Shape3, below: number): PackedArray => ({
  data: Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, i) => (i * 7 + 3) % below),
  shape,
});

const CASES: { kernel: Kernel; shape: Shape3; arrays: PackedArray[]; scalars: number[] }[] = [
  { kernel: affine, shape: [3, 5, 7], arrays: [noise([3, 5, 7], 1)], scalars: [0.1, 1 / 3] },
  {
    kernel: matmul,
    shape: [2, 5, 9],
    arrays: [noise([2, 5, 33], 1), noise([2, 33, 9], 2)],
    scalars: [33],
  },
  { kernel: pad, shape: [2, 3, 22], arrays: [noise([2, 3, 9], 1)], scalars: [6, 9] },
  {
    kernel: gatherRows,
    shape: [1, 6, 10],
    arrays: [noise([1, 11, 10], 1), indices([1, 1, 6], 11)],
    scalars: [],
  },
  {
    kernel: gatherElements,
    shape: [1, 6, 10],
    arrays: [noise([1, 11, 10], 1), indices([1, 6, 10], 11)],
    scalars: [],
  },
  { kernel: mixed, shape: [1, 7, 7], arrays: [noise([1, 7, 7], 4)], scalars: [7] },
];

describe.each(testBackends)('our executor and gpu.js itself on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend });
  });
  afterAll(() => device.destroy());

  /** Bit for bit, but where our webasm computes exponentials itself and gpu.js asks JavaScript. */
  function expectSame(kernel: Kernel, got: Float32Array, expected: Float32Array): void {
    if (backend === 'webasm' && kernel === mixed) {
      got.forEach((value, i) => {
        expect(Math.abs(value - (expected[i] as number))).toBeLessThan(1e-6 * Math.abs(value) + 1e-4);
      });
    } else expect(new Uint32Array(got.buffer)).toEqual(new Uint32Array(expected.buffer));
  }

  it.each(CASES)('agree on $kernel.name', async ({ kernel, shape, arrays, scalars }) => {
    const expected = await runThroughGpujs(backend, kernel, shape, arrays, scalars);
    const operands = arrays.map(({ data, shape: packed }) => device.upload(data, packed));
    const out = device.alloc(shape);
    device.dispatch(
      kernel,
      out.view,
      operands.map((operand) => operand.view),
      scalars,
    );
    const got = await device.read(out);
    expectSame(kernel, got, expected);
    for (const tensor of [...operands, out]) tensor.free();
  });

  it.each(CASES)(
    'agree on $kernel.name through strided views',
    async ({ kernel, shape, arrays, scalars }) => {
      const expected = await runThroughGpujs(backend, kernel, shape, arrays, scalars);
      const operands = arrays.map(({ data, shape: [z, y, x] }) => {
        const transposed = device
          .alloc([x, z, y + 2])
          .permute([1, 2, 0])
          .slice(1, 1, y + 1);
        device.write(transposed, data);
        return transposed;
      });
      const [z, y, x] = shape;
      const out = device
        .alloc([y, x + 1, z])
        .permute([2, 0, 1])
        .slice(2, 1, x + 1);
      device.dispatch(
        kernel,
        out.view,
        operands.map((operand) => operand.view),
        scalars,
      );
      const got = await device.read(out);
      expectSame(kernel, got, expected);
      for (const tensor of [...operands, out]) tensor.free();
    },
  );
});
