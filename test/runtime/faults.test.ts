import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InternalError, UserError } from '../../src/errors.ts';
import { contiguous } from '../../src/layout/layout.ts';
import type { Device } from '../../src/runtime/device.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../../src/runtime/kernel.ts';
import { openDevice } from '../../src/runtime/open.ts';
import { gpuOfThisHost } from '../../src/runtime/webgpu/adapter.ts';
import { testBackends } from '../support/backends.ts';
import { affine } from './kernels.ts';

const unknownName = defineKernel(function unknownName(this: KernelThis, a: KernelArray): number {
  // @ts-expect-error a kernel cannot see anything outside itself
  return a[this.thread.z]![this.thread.y]![this.thread.x]! * outsideOfKernels;
}, 1);

describe.each(testBackends)('faults on %s', (backend) => {
  let device: Device;
  beforeEach(async () => {
    device = await openDevice({ backend });
  });
  afterEach(() => device.destroy());

  it('name the kernel that does not compile or run', async () => {
    const x = device.upload([1], [1]);
    const out = device.alloc([1]);
    const failure = await (async () => {
      device.dispatch(unknownName, out.view, [x.view], []);
      return device.flush();
    })().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(InternalError);
    expect((failure as Error).message).toContain('unknownName');
  });

  it('stop calls that break the contract of dispatch', () => {
    const x = device.upload([1, 2], [2]);
    const out = device.alloc([2]);
    expect(() => device.dispatch(affine, out.view, [x.view], [1])).toThrow(/takes 1 arrays and 2 scalars/);
    const beyond = { storage: x.storage, layout: contiguous([3]) };
    expect(() => device.dispatch(affine, out.view, [beyond], [1, 0])).toThrow(
      /elements 0 to 3 over a storage of 2/,
    );
    const deep = { storage: x.storage, layout: contiguous([1, 1, 1, 2]) };
    expect(() => device.dispatch(affine, out.view, [deep], [1, 0])).toThrow(/rank 4/);
  });
});

describe.runIf(testBackends.includes('webgpu'))('faults of webgpu', () => {
  it('running out of memory is a UserError at the next flush, and the device goes on', async () => {
    const device = await openDevice({ backend: 'webgpu' });
    const held = [];
    let failure: unknown;
    try {
      // More than any 32-bit or 64-bit test machine has; the adapter refuses long before.
      for (let i = 0; i < 4096 && !failure; i++) {
        held.push(device.alloc([device.maxStorageBytes / 4]));
        if (i % 16 === 15) await device.flush();
      }
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as Error).message).toMatch(/ran out of memory|smaller budget/);
    await device.destroy();
  });

  it('a lost device is a UserError at the next flush and read', async () => {
    const devices = await captureDevices();
    try {
      const device = await openDevice({ backend: 'webgpu' });
      const x = device.upload([1], [1]);
      await device.flush();
      for (const gpu of devices.opened) gpu.destroy();
      await expect(device.read(x)).rejects.toThrow(/was lost/);
      await expect(device.flush()).rejects.toThrow(UserError);
      await device.destroy();
    } finally {
      devices.restore();
    }
  });
});

/** Makes `openDevice` use a `navigator.gpu` that remembers the devices it gave out. */
async function captureDevices(): Promise<{ opened: GPUDevice[]; restore(): void }> {
  const found = await gpuOfThisHost();
  if ('reason' in found) throw new Error(found.reason);
  const opened: GPUDevice[] = [];
  const requestAdapter = async (options?: GPURequestAdapterOptions): Promise<GPUAdapter> => {
    const adapter = (await found.gpu.requestAdapter(options)) as GPUAdapter;
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor);
      opened.push(device);
      return device;
    };
    return adapter;
  };
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: { requestAdapter } }, configurable: true });
  return {
    opened,
    restore() {
      if (before) Object.defineProperty(globalThis, 'navigator', before);
      else Reflect.deleteProperty(globalThis, 'navigator');
    },
  };
}
