import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/runtime/device.ts';
import { openDevice } from '../../src/runtime/open.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';
import { testBackends } from '../support/backends.ts';
import {
  affine,
  below,
  count,
  gatherElements,
  gatherRows,
  matmul,
  pad,
  sameCounter,
  shadowing,
} from './kernels.ts';

const PERMUTATIONS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

const ramp = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i - 50);

describe.each(testBackends)('views on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend });
  });
  afterAll(() => device.destroy());

  const numbers = async (tensor: Tensor): Promise<number[]> => [...(await device.read(tensor))];

  it.each([0, 1, 2])('runs chunk loops along axis %i with a ragged tail', async (axis) => {
    const shape = [9, 13, 17];
    const x = device.upload(ramp(9 * 13 * 17), shape);
    const y = device.alloc(shape);
    const extent = shape[axis] as number;
    for (let start = 0; start < extent; start += 4) {
      const stop = Math.min(start + 4, extent);
      device.dispatch(affine, y.slice(axis, start, stop).view, [x.slice(axis, start, stop).view], [2, 1]);
    }
    expect(await numbers(y)).toEqual([...ramp(9 * 13 * 17)].map((value) => value * 2 + 1));
    x.free();
    y.free();
  });

  it('reads and writes any permutation of any slice', async () => {
    const shape = [4, 6, 9] as const;
    const data = ramp(4 * 6 * 9);
    const x = device.upload(data, shape);
    const range = (extent: number) =>
      fc
        .tuple(fc.nat(extent - 1), fc.nat(extent))
        .map(([start, length]): [number, number] => [start, Math.min(extent, start + 1 + length)]);
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(range(4), range(6), range(9)),
        fc.constantFrom(...PERMUTATIONS),
        fc.constantFrom(...PERMUTATIONS),
        fc.nat(5),
        async (ranges, inAxes, outAxes, offset) => {
          let source = x;
          ranges.forEach(([start, stop], axis) => {
            source = source.slice(axis, start, stop);
          });
          source = source.permute(inAxes);
          const inner = outAxes.map((axis) => source.shape[axis] as number);
          const inverse = [0, 1, 2].map((axis) => outAxes.indexOf(axis as 0 | 1 | 2));
          const whole = device.upload(
            new Float32Array(inner[0]! * inner[1]! * (inner[2]! + offset + 3)).fill(-7),
            [inner[0]!, inner[1]!, inner[2]! + offset + 3],
          );
          const target = whole.slice(2, offset, offset + inner[2]!).permute(inverse);
          device.dispatch(affine, target.view, [source.view], [1, 0]);
          const expected = new Array<number>(whole.shape.reduce((a, b) => a * b, 1)).fill(-7);
          const [, height, width] = whole.shape as [number, number, number];
          const from = source.layout;
          for (let z = 0; z < from.shape[0]!; z++) {
            for (let y = 0; y < from.shape[1]!; y++) {
              for (let x2 = 0; x2 < from.shape[2]!; x2++) {
                const index = [z, y, x2];
                const at = outAxes.map((axis) => index[axis]!);
                expected[(at[0]! * height + at[1]!) * width + at[2]! + offset] =
                  data[from.offset + z * from.strides[0]! + y * from.strides[1]! + x2 * from.strides[2]!]!;
              }
            }
          }
          expect(await numbers(whole)).toEqual(expected);
          whole.free();
        },
      ),
      { numRuns: 60 },
    );
    x.free();
  });

  it('broadcasts along axes of stride 0', async () => {
    const row = device.upload([1, 2, 3, 4, 5], [5]);
    const column = device.upload([10, 20, 30], [3, 1]);
    const y = device.alloc([3, 5]);
    device.dispatch(affine, y.view, [row.expand([3, 5]).view], [1, 0]);
    expect(await numbers(y)).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
    device.dispatch(affine, y.view, [column.expand([3, 5]).view], [1, 0]);
    expect(await numbers(y)).toEqual([10, 10, 10, 10, 10, 20, 20, 20, 20, 20, 30, 30, 30, 30, 30]);
    for (const tensor of [row, column, y]) tensor.free();
  });

  it('multiplies transposed and sliced matrices', async () => {
    const [m, k, n] = [7, 5, 11];
    const a = device.upload(ramp(k * m), [k, m]).permute([1, 0]);
    const b = device
      .upload(ramp(n * (k + 2)), [n, k + 2])
      .slice(1, 1, 1 + k)
      .permute([1, 0]);
    const y = device.alloc([m, n]);
    device.dispatch(matmul, y.view, [a.view, b.view], [k]);
    const expected: number[] = [];
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0;
        for (let i = 0; i < k; i++) sum += (i * m + row - 50) * (column * (k + 2) + i + 1 - 50);
        expected.push(sum);
      }
    }
    expect(await numbers(y)).toEqual(expected);
    for (const tensor of [a, b, y]) tensor.free();
  });

  it('does not read where switched-off lanes point', async () => {
    const x = device.upload([1, 2, 3, 4, 5, 6], [2, 3]);
    const y = device.alloc([2, 14]);
    device.dispatch(pad, y.view, [x.view], [6, 3]);
    const row = (...own: number[]): number[] => [-1, -1, -1, -1, -1, -1, ...own, 1, 1, 1, 1, 1];
    expect(await numbers(y)).toEqual([...row(1, 2, 3), ...row(4, 5, 6)]);
    const wide = device.alloc([2, 3000]);
    device.dispatch(pad, wide.view, [x.slice(1, 2, 3).view], [2999, 1]);
    expect((await numbers(wide)).filter((value) => value !== -1)).toEqual([3, 6]);
    for (const tensor of [x, y, wide]) tensor.free();
  });

  it('gathers rows and elements by index', async () => {
    const table = device.upload(ramp(30), [6, 5]);
    const ids = device.upload([5, 0, 3], [3], 'i32');
    const y = device.alloc([3, 5]);
    device.dispatch(gatherRows, y.view, [table.view, ids.view], []);
    expect(await numbers(y)).toEqual([5, 0, 3].flatMap((id) => [0, 1, 2, 3, 4].map((i) => id * 5 + i - 50)));
    const each = device.upload([5, 4, 3, 2, 1, 0, 0, 1, 2, 3], [2, 5], 'i32');
    const z = device.alloc([2, 5]);
    device.dispatch(gatherElements, z.view, [table.view, each.view], []);
    expect(await numbers(z)).toEqual([5, 4, 3, 2, 1, 0, 0, 1, 2, 3].map((id, i) => id * 5 + (i % 5) - 50));
    for (const tensor of [table, ids, y, each, z]) tensor.free();
  });

  it('runs loops of more than a thousand iterations to their end', async () => {
    const y = device.alloc([5]);
    device.dispatch(count, y.view, [], [123_456]);
    expect(await numbers(y)).toEqual(new Array(5).fill(123_456));
    y.free();
  });

  it('runs loops whose counters have one name', async () => {
    const x = device.upload([1, 2, 3], [3]);
    const y = device.alloc([5]);
    device.dispatch(sameCounter, y.view, [x.view], [3]);
    expect(await numbers(y)).toEqual([66, 67, 68, 69, 70]);
    x.free();
    y.free();
  });

  it('keeps variables apart that share a name', async () => {
    const a = device.upload([1, 2, 3], [3]);
    const b = device.upload([100, 200, 300, 400, 500], [5]);
    const y = device.alloc([5]);
    device.dispatch(shadowing, y.view, [a.view, b.view], [3]);
    expect(await numbers(y)).toEqual([125, 225, 325, 425, 525]);
    for (const tensor of [a, b, y]) tensor.free();
  });

  it('takes conditions for numbers', async () => {
    const x = device.upload([1, 2, 3, 4, 5], [5]);
    const y = device.alloc([5]);
    device.dispatch(below, y.view, [x.view], [3.5]);
    expect(await numbers(y)).toEqual([0, 1, 1, 0, 0]);
    x.free();
    y.free();
  });

  it('covers rows longer than the workgroups of one dispatch', async () => {
    const length = 65_535 * 64 + 3;
    const x = device.upload([3], [1]);
    const y = device.alloc([length]);
    device.dispatch(affine, y.view, [x.expand([length]).view], [1, 2]);
    const values = await device.read(y);
    expect(values.every((value) => value === 5)).toBe(true);
    x.free();
    y.free();
  });

  it('accepts empty tensors', async () => {
    const x = device.upload([], [0, 3]);
    const y = device.alloc([0, 3]);
    device.dispatch(affine, y.view, [x.view], [1, 0]);
    expect(await numbers(y)).toEqual([]);
    x.free();
    y.free();
    expect(device.memory.liveBytes).toBe(0);
  });
});

describe('views of a tensor', () => {
  it('say what is wrong with a request', async () => {
    const device = await openDevice({ backend: 'cpu' });
    const x = device.alloc([4, 6]);
    expect(() => x.slice(1, 2, 7)).toThrow(
      'slice: elements 2 to 7 are not within axis 1 of [4, 6], which has 6.',
    );
    expect(() => x.slice(2, 0, 1)).toThrow('slice: axis 2 does not exist in [4, 6]');
    expect(() => x.permute([0, 0])).toThrow('permute: [0, 0] does not name every axis of [4, 6] once');
    expect(() => x.reshape([5, 5])).toThrow('reshape: [4, 6] has 24 elements, [5, 5] has 25');
    expect(() => x.permute([1, 0]).reshape([24])).toThrow(/cannot be seen as \[24\] without moving elements/);
    expect(() => x.expand([4, 7])).toThrow('expand: [4, 6] does not broadcast to [4, 7]');
    await device.destroy();
  });
});
