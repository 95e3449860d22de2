import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/runtime/device.ts';
import { openDevice } from '../../src/runtime/open.ts';
import { testBackends } from '../support/backends.ts';
import { affine } from './kernels.ts';

const MIB = 2 ** 20;

describe.runIf(testBackends.includes('webgpu'))('the buffer pool of webgpu', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend: 'webgpu' });
  });
  afterAll(() => device.destroy());

  it('gives memory back when sizes change, without disturbing recorded work', async () => {
    const kept: [expected: number, tensor: ReturnType<Device['alloc']>][] = [];
    let highest = 0;
    for (let round = 1; round <= 12; round++) {
      const elements = (round * 5 * MIB) / 4;
      const x = device.alloc([elements]);
      highest = Math.max(highest, device.memory.liveBytes);
      const head = x.slice(0, 0, 8);
      const out = device.alloc([8]);
      device.write(head, new Array(8).fill(round));
      device.dispatch(affine, out.view, [head.view], [2, 0]);
      x.free();
      kept.push([round * 2, out]);
    }
    expect(device.memory.reservedBytes).toBeLessThanOrEqual(1.25 * highest + 17 * MIB);
    for (const [expected, tensor] of kept) {
      expect([...(await device.read(tensor))]).toEqual(new Array(8).fill(expected));
      tensor.free();
    }
    expect(device.memory.liveBytes).toBe(0);
  });

  it('records more dispatches than one submission or uniform ring holds', async () => {
    const x = device.upload([0], [1]);
    const y = device.alloc([1]);
    for (let i = 0; i < 1500; i++) {
      const [from, to] = i % 2 === 0 ? [x, y] : [y, x];
      device.dispatch(affine, to.view, [from.view], [1, 1]);
    }
    expect([...(await device.read(x))]).toEqual([1500]);
    x.free();
    y.free();
  });
});
