import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import type { Device } from '../../src/runtime/device.ts';
import { readsOwnElement } from '../../src/runtime/gpujs/own-element.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../../src/runtime/kernel.ts';
import * as k from '../../src/runtime/kernels/index.ts';
import { openDevice } from '../../src/runtime/open.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';
import { testBackends } from '../support/backends.ts';
import { affine, gatherElements, gatherRows, matmul, mixed, pad, shadowing } from './kernels.ts';

const cumulative = defineKernel(function own(this: KernelThis, a: KernelArray, b: KernelArray): number {
  const value = a[this.thread.z]![this.thread.y]![this.thread.x]!;
  // Lanes that return early keep what they wrote; the others read on.
  if (value < 0) {
    return value * 3;
  }
  return value + b[0]![this.thread.y]![this.thread.x]! + a[this.thread.z]![this.thread.y]![this.thread.x]!;
}, 2);

describe('which arrays a kernel reads at its own element only', () => {
  it.each([
    [affine, [true]],
    [cumulative, [true, false]],
    [matmul, [false, false]],
    [pad, [false]],
    [gatherRows, [false, false]],
    [gatherElements, [false, false]],
    [mixed, [false]],
    [shadowing, [false, false]],
  ] as const)('%o', (kernel, expected) => {
    expect(readsOwnElement(kernel)).toEqual(expected);
  });
});

describe.each(testBackends)('results in place of an operand on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend });
  });
  afterAll(() => device.destroy());

  const numbers = (count: number): number[] =>
    Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 3);

  const views: readonly (readonly [string, (base: Tensor) => Tensor])[] = [
    ['whole', (base) => base],
    ['a slice of the last axis', (base) => base.slice(2, 1, base.shape[2] as number)],
    ['permuted', (base) => base.permute([2, 0, 1])],
    ['rows in reverse order of axes', (base) => base.permute([1, 2, 0]).slice(1, 0, 1)],
  ];

  it.each(views)('are those out of place, bit for bit, at every extent: %s', async (_, see) => {
    for (let extent = 2; extent <= 11; extent++) {
      const shape = [2, 3, extent];
      const data = numbers(6 * extent);
      for (const kernel of [affine, cumulative]) {
        const [x, y] = [device.upload(data, shape), device.upload(data, shape)];
        const [source, target] = [see(x), see(y)];
        const out = device.alloc(source.shape);
        const other = device.upload(numbers(out.shape[1]! * out.shape[2]!), [1, ...out.shape.slice(1)]);
        const others = kernel === affine ? [] : [other.view];
        const scalars = kernel === affine ? [0.1, 1 / 3] : [];
        device.dispatch(kernel, out.view, [source.view, ...others], scalars);
        device.dispatch(kernel, target.view, [target.view, ...others], scalars);
        expect(await device.read(target)).toEqual(await device.read(out));
        // Nothing around the view is touched.
        device.write(target, await device.read(source));
        expect(await device.read(y)).toEqual(await device.read(x));
        for (const tensor of [x, y, out, other]) tensor.free();
      }
    }
  });

  it('may be written over both operands, where they are one', async () => {
    const x = device.upload([1, 2, 3, 4, 5], [5]);
    k.add(x, x, { into: x });
    expect([...(await device.read(x))]).toEqual([2, 4, 6, 8, 10]);
    x.free();
  });

  it('are refused where a thread reads the elements of others', () => {
    const x = device.upload(numbers(16), [4, 4]);
    const w = device.upload(numbers(16), [4, 4]);
    const message = /would overwrite the storage of an operand while it is being read/;
    expect(() => k.matmul(x, w, { into: x })).toThrow(message);
    expect(() => k.add(x, w, { into: x.permute([1, 0]) })).toThrow(message);
    expect(() => k.add(x.slice(0, 0, 2), w.slice(0, 0, 2), { into: x.slice(0, 1, 3) })).toThrow(UserError);
    expect(() => k.add(x.slice(0, 0, 1), w, { into: x })).toThrow(message);
    x.free();
    w.free();
  });
});
