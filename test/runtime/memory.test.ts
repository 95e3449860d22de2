import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/errors.ts';
import type { Device } from '../../src/runtime/device.ts';
import { openDevice } from '../../src/runtime/open.ts';
import { loadParameters, measure } from '../../src/runtime/params.ts';
import { testBackends } from '../support/backends.ts';
import { affine } from './kernels.ts';

describe.each(testBackends)('memory on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend });
  });
  afterAll(() => device.destroy());

  it('counts live, peak and parameter bytes exactly', async () => {
    const { memory } = device;
    expect([memory.liveBytes, memory.parameterBytes]).toEqual([0, 0]);
    const weights = device.parameter([1, 2, 3], [3]);
    const a = device.alloc([3, 5]);
    const b = device.upload([1, 2], [2]);
    expect([memory.liveBytes, memory.peakBytes, memory.parameterBytes]).toEqual([68, 68, 12]);
    a.free();
    expect([memory.liveBytes, memory.peakBytes]).toEqual([8, 68]);
    memory.resetPeak();
    expect(memory.peakBytes).toBe(8);
    b.free();
    weights.free();
    expect([memory.liveBytes, memory.parameterBytes]).toEqual([0, 0]);
    expect(memory.reservedBytes).toBeGreaterThanOrEqual(0);
  });

  it('measures the peak of a run from what is live before it', async () => {
    const input = device.upload([1, 2, 3, 4], [4]);
    const { result, peakBytes } = await measure(device, () => {
      const scratch = device.alloc([4]);
      const out = device.alloc([4]);
      device.dispatch(affine, scratch.view, [input.view], [2, 1]);
      device.dispatch(affine, out.view, [scratch.view], [10, 0]);
      scratch.free();
      return out;
    });
    expect(peakBytes).toBe(48);
    expect([...(await device.read(result))]).toEqual([30, 50, 70, 90]);
    result.free();
    input.free();
    expect(device.memory.liveBytes).toBe(0);
  });

  it('reuses freed memory and does not mix up values while doing so', async () => {
    const rounds = 40;
    const elements = 3000;
    const total = device.alloc([rounds, elements]);
    let reserved = 0;
    for (let round = 0; round < rounds; round++) {
      const x = device.upload(new Float32Array(elements - round).fill(round), [elements - round]);
      const y = device.alloc([elements - round]);
      device.dispatch(affine, y.view, [x.view], [2, 1]);
      x.free();
      const target = total
        .slice(0, round, round + 1)
        .slice(1, 0, elements - round)
        .reshape([elements - round]);
      device.dispatch(affine, target.view, [y.view], [1, 0]);
      y.free();
      if (round === 5) reserved = device.memory.reservedBytes;
    }
    expect(device.memory.reservedBytes).toBeLessThanOrEqual(reserved + 2 * 4 * elements);
    const values = await device.read(total);
    for (let round = 0; round < rounds; round++) {
      expect(values[round * elements]).toBe(2 * round + 1);
      expect(values[round * elements + elements - round - 1]).toBe(2 * round + 1);
    }
    total.free();
    expect(device.memory.liveBytes).toBe(0);
  });

  it('keeps the order of uploads, kernels and writes', async () => {
    const x = device.upload([1, 1], [2]);
    const a = device.alloc([2]);
    const b = device.alloc([2]);
    device.dispatch(affine, a.view, [x.view], [1, 0]);
    device.write(x, [5, 7]);
    device.dispatch(affine, b.view, [x.view], [1, 0]);
    device.write(x.slice(0, 1, 2), [9]);
    expect([...(await device.read(a)), ...(await device.read(b)), ...(await device.read(x))]).toEqual([
      1, 1, 5, 7, 5, 9,
    ]);
    for (const tensor of [x, a, b]) tensor.free();
  });

  it('writes through views of any strides', async () => {
    const x = device.upload(new Float32Array(12), [3, 4]);
    device.write(x.permute([1, 0]).slice(0, 1, 3), [1, 2, 3, 4, 5, 6]);
    device.write(x.slice(1, 3, 4), [7, 8, 9]);
    expect([...(await device.read(x))]).toEqual([0, 1, 4, 7, 0, 2, 5, 8, 0, 3, 6, 9]);
    x.free();
  });

  it('refuses the use of freed tensors, saying how to avoid it', async () => {
    const x = device.upload([1], [1]);
    const view = x.slice(0, 0, 1);
    x.free();
    expect(() => x.free()).toThrow(/already freed/);
    expect(() => view.view).toThrow(/was freed. Use it before free/);
    expect(() => view.reshape([1, 1])).toThrow(UserError);
    await expect(device.read(view)).rejects.toThrow(/freed/);
  });

  it('refuses wrong data and tensors of other devices', async () => {
    expect(() => device.upload([1, 2], [3])).toThrow(/\[3\] has 3 elements, got 2/);
    expect(() => device.upload([0.5], [1], 'i32')).toThrow(/element 0 is 0.5/);
    expect(() => device.upload([2 ** 24 + 1], [1], 'i32')).toThrow(/2\^24/);
    expect(() => device.alloc([-1])).toThrow(/not a shape/);
    const other = await openDevice({ backend: 'cpu' });
    const foreign = other.alloc([1]);
    const own = device.alloc([1]);
    expect(() => device.dispatch(affine, own.view, [foreign.view], [1, 0])).toThrow(/another device/);
    own.free();
    await other.destroy();
    expect(() => other.alloc([1])).toThrow(/destroyed/);
  });

  it('refuses a tensor larger than the device can bind', () => {
    expect(() => device.alloc([device.maxStorageBytes / 4 + 1])).toThrow(/the largest tensor/);
  });

  it('loads parameters by key and lists everything that does not fit', async () => {
    const specs = { w: { key: 'h.w', shape: [2] }, b: { key: 'h.b', shape: [1, 1] } };
    const params = loadParameters(
      device,
      specs,
      new Map([
        ['h.w', { shape: [2], data: [1, 2] }],
        ['h.b', { shape: [1, 1], data: new Float32Array([3]) }],
      ]),
    );
    expect(device.memory.parameterBytes).toBe(12);
    expect([...(await device.read(params.w))]).toEqual([1, 2]);
    params.w.free();
    params.b.free();
    expect(() => loadParameters(device, specs, new Map([['h.w', { shape: [3], data: [1, 2, 3] }]]))).toThrow(
      /h\.w: expected \[2\], got \[3\]\n {2}h\.b: missing, expected \[1, 1\]/,
    );
  });
});
