import { UnsupportedError, UserError } from '../errors.ts';
import { CPU_STORAGE_BYTES, CpuDevice } from './cpu/device.ts';
import type { BackendName, Device } from './device.ts';
import { assertGpujsVersion } from './gpujs/version.ts';
import type { KernelChoice } from './tuned.ts';
import { WEBASM_STORAGE_BYTES, WebasmDevice, webasmAbsence } from './webasm/device.ts';
import { defaultThreads, findThreads } from './webasm/threads/host.ts';
import { findAdapter, GUARANTEED_STORAGE_BYTES, maxStorageBytes } from './webgpu/adapter.ts';
import { WebgpuDevice } from './webgpu/device.ts';

/** What a backend offers on this machine. */
export interface BackendInfo {
  readonly backend: BackendName;
  readonly available: boolean;
  /** The adapter or engine, where available. */
  readonly adapter?: string;
  /** A software adapter: works when asked for by name, never chosen by `auto`. */
  readonly software?: boolean;
  /** Largest single storage in bytes; where the backend is not available, what it offers everywhere. */
  readonly maxStorageBytes: number;
  /** Why it is not available, or why `auto` passes it over. */
  readonly reason?: string;
}

const BACKENDS = ['webgpu', 'webasm', 'cpu'] as const satisfies readonly BackendName[];

/** Every backend with its adapter, or the reason for its absence, best first. */
export async function listBackends(): Promise<BackendInfo[]> {
  return Promise.all(BACKENDS.map(inspectBackend));
}

/** What one backend offers on this machine, without opening a device. */
export async function inspectBackend(backend: BackendName): Promise<BackendInfo> {
  switch (backend) {
    case 'webgpu': {
      const found = await findAdapter();
      if ('reason' in found) {
        const { reason } = found;
        return { backend, available: false, maxStorageBytes: GUARANTEED_STORAGE_BYTES, reason };
      }
      const { name: adapter, software } = found;
      const most = maxStorageBytes(found.adapter.limits);
      const info = { backend, available: true, adapter, software, maxStorageBytes: most };
      return software
        ? { ...info, reason: 'a software adapter is used only when webgpu is asked for by name' }
        : info;
    }
    case 'webasm': {
      const reason = webasmAbsence();
      return reason === undefined
        ? { backend, available: true, adapter: 'WebAssembly SIMD', maxStorageBytes: WEBASM_STORAGE_BYTES }
        : { backend, available: false, maxStorageBytes: WEBASM_STORAGE_BYTES, reason };
    }
    case 'cpu':
      return { backend, available: true, adapter: 'JavaScript', maxStorageBytes: CPU_STORAGE_BYTES };
    default:
      return backend satisfies never;
  }
}

export interface OpenOptions {
  /** `auto` (the default): webgpu on a hardware adapter, else webasm, else cpu. */
  readonly backend?: BackendName | 'auto';
  /**
   * `tuned` (the default): the device's own products, softmax and norms where it has them, which is on webgpu and webasm; `gpujs`: gpu.js kernels
   * throughout. `device.kernels` says which.
   */
  readonly kernels?: KernelChoice;
  /**
   * Threads on webasm, which share one memory: by default as many as there are cores, up to 16. One where threads cannot share
   * memory, as in pages that are not cross-origin isolated; `device.threads` says how many.
   */
  readonly threads?: number | undefined;
}

const MOST_THREADS = 256;
const KERNEL_CHOICES = ['tuned', 'gpujs'] as const satisfies readonly KernelChoice[];

/**
 * Opens a device. `device.backend` and `device.adapter` say which one it is. Throws UnsupportedError when a backend asked
 * for by name is not there, saying why and what to install.
 */
export async function openDevice(options: OpenOptions = {}): Promise<Device> {
  const wanted = options.backend ?? 'auto';
  if (wanted !== 'auto' && !BACKENDS.includes(wanted)) {
    throw new UserError(`openDevice: "${wanted}" is not a backend. Use auto, ${BACKENDS.join(', ')}.`);
  }
  const kernels = options.kernels ?? 'tuned';
  if (!KERNEL_CHOICES.includes(kernels)) {
    throw new UserError(
      `openDevice: "${kernels}" is no choice of kernels. Use ${KERNEL_CHOICES.join(' or ')}.`,
    );
  }
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    throw new UserError(`openDevice: ${threads} threads. Give an integer from 1 to ${MOST_THREADS}.`);
  }
  await assertGpujsVersion();
  return open(wanted === 'auto' ? await best() : wanted, kernels, threads);
}

async function best(): Promise<BackendName> {
  const found = await findAdapter();
  if (!('reason' in found) && !found.software) return 'webgpu';
  return webasmAbsence() === undefined ? 'webasm' : 'cpu';
}

async function open(
  backend: BackendName,
  kernels: KernelChoice,
  threads: number | undefined,
): Promise<Device> {
  switch (backend) {
    case 'webgpu':
      return WebgpuDevice.open(kernels);
    case 'webasm': {
      const reason = webasmAbsence();
      if (reason !== undefined) {
        throw new UnsupportedError(`webasm is not available: ${reason}. Use backend cpu.`);
      }
      const host = threads === 1 ? undefined : await findThreads();
      return new WebasmDevice({ kernels, host, threads: host ? (threads ?? defaultThreads(host)) : 1 });
    }
    case 'cpu':
      return new CpuDevice();
    default:
      return backend satisfies never;
  }
}
