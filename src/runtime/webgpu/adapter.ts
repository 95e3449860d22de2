import { hasVulkanDriver } from './vulkan.ts';

/** An adapter that can make one device. */
export interface FoundAdapter {
  readonly adapter: GPUAdapter;
  readonly name: string;
  /** Runs on the CPU (SwiftShader, llvmpipe, WARP). */
  readonly software: boolean;
}

export interface NoAdapter {
  /** Why there is none and what would provide one. */
  readonly reason: string;
}

/** Largest storage buffer that WebGPU promises on every adapter: `maxStorageBufferBindingSize` of the specification. */
export const GUARANTEED_STORAGE_BYTES = 128 * 2 ** 20;

/** Largest single storage under some limits. */
export function maxStorageBytes({
  maxStorageBufferBindingSize,
  maxBufferSize,
}: Pick<GPUSupportedLimits, 'maxStorageBufferBindingSize' | 'maxBufferSize'>): number {
  const largest = Math.min(maxStorageBufferBindingSize, maxBufferSize);
  // Kernels index elements with i32.
  return Math.min(Math.floor(largest / 256) * 256, 2 ** 32 - 256);
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render/i;

/** A fresh WebGPU adapter: the browser's, or in Node that of the `webgpu` package. */
export async function findAdapter(): Promise<FoundAdapter | NoAdapter> {
  const found = await gpuOfThisHost();
  if ('reason' in found) return found;
  let adapter: GPUAdapter | null = null;
  try {
    adapter = await found.gpu.requestAdapter({ powerPreference: 'high-performance' });
  } catch (error) {
    return { reason: `WebGPU failed to look for an adapter: ${String(error)}` };
  }
  if (!adapter) return { reason: found.hint };
  return { adapter, ...describe(adapter.info) };
}

/** A name for people, and whether it is a software adapter. */
export function describe(info: GPUAdapterInfo): { name: string; software: boolean } {
  const fields = [info.description, info.device, info.architecture, info.vendor].filter((text) => text);
  const software = info.isFallbackAdapter || fields.some((text) => SOFTWARE.test(text));
  const name = info.description || [info.vendor, info.architecture || info.device].filter(Boolean).join(' ');
  return { name: `${name || 'WebGPU adapter'}${software ? ' (software)' : ''}`, software };
}

/** Kept for the life of the process: devices made by a collected instance crash. */
let nodeGpu: GPU | undefined;

/** The host's entry to WebGPU: the browser's, or that of the `webgpu` package in Node. */
export async function gpuOfThisHost(): Promise<{ gpu: GPU; hint: string } | NoAdapter> {
  const browser = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (browser) {
    return {
      gpu: browser,
      hint: 'the browser offers WebGPU but has no adapter. Enable hardware acceleration or update the graphics driver',
    };
  }
  if (typeof process === 'undefined' || !process.versions?.node) {
    return {
      reason: 'this browser has no WebGPU (navigator.gpu). Use a current Chrome, Edge, Firefox or Safari',
    };
  }
  const noDriver =
    'no graphics driver was found. Install a Vulkan driver for the GPU (on Linux; the environment variable ' +
    'VK_ICD_FILENAMES can name its ICD file), or use backend webasm';
  if (process.platform === 'linux' && !(await hasVulkanDriver(process.env))) return { reason: noDriver };
  try {
    // A variable keeps bundlers for the browser from following the import.
    const moduleName = 'webgpu';
    const { create } = (await import(/* @vite-ignore */ moduleName)) as { create(flags: string[]): GPU };
    nodeGpu ??= create([]);
    return { gpu: nodeGpu, hint: noDriver };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { reason: `the webgpu package cannot be loaded (${reason}). Run: npm install webgpu@0.6.2` };
  }
}
