import { UnsupportedError } from '../../errors.ts';
import type { BackendName } from '../device.ts';
import type { Kernel } from '../kernel.ts';
import { gpuOfThisHost } from '../webgpu/adapter.ts';
import { LOOP_MAX_ITERATIONS } from './translate.ts';

/** A packed row-major array of three axes z, y, x. */
export interface PackedArray {
  readonly data: Float32Array;
  readonly shape: readonly [z: number, y: number, x: number];
}

/** The public face of gpu.js, as far as it is used here. */
interface PublicGpujs {
  GPU: new (settings: {
    mode: string;
  }) => {
    createKernel(
      source: Kernel['source'],
      settings: {
        output: number[];
        argumentTypes: string[];
        loopMaxIterations: number;
        dynamicArguments: boolean;
      },
    ): ((...args: unknown[]) => Float32Array[][] | Promise<Float32Array[][]>) & {
      readonly kernel: { readonly constructor: { readonly mode: string } };
    };
    destroy(): Promise<void>;
  };
  input(data: Float32Array, size: number[]): unknown;
}

/**
 * Runs a kernel the way any user of gpu.js would, through `createKernel` and a call, on packed arrays: what our own
 * executors are compared with. Returns the output, row-major.
 */
export async function runThroughGpujs(
  backend: BackendName,
  kernel: Kernel,
  shape: readonly [z: number, y: number, x: number],
  arrays: readonly PackedArray[],
  scalars: readonly number[],
): Promise<Float32Array> {
  if (backend === 'webgpu') await provideNavigatorGpu();
  const { GPU, input } = (await import('gpu.js')) as unknown as PublicGpujs;
  const gpu = new GPU({ mode: backend });
  try {
    const [depth, height, width] = shape;
    const run = gpu.createKernel(kernel.source, {
      output: [width, height, depth],
      argumentTypes: [...arrays.map(() => 'Input'), ...kernel.scalars],
      loopMaxIterations: LOOP_MAX_ITERATIONS,
      dynamicArguments: backend !== 'cpu',
    });
    const planes = await run(
      ...arrays.map(({ data, shape: [z, y, x] }) => input(data, [x, y, z])),
      ...scalars,
    );
    if (run.kernel.constructor.mode !== backend) {
      throw new UnsupportedError(
        `gpu.js ran ${kernel.name} on ${run.kernel.constructor.mode}, not on ${backend}`,
      );
    }
    const out = new Float32Array(depth * height * width);
    planes.flat().forEach((row, i) => {
      out.set(row, i * width);
    });
    return out;
  } finally {
    await gpu.destroy();
  }
}

/** gpu.js looks for WebGPU where browsers have it. */
async function provideNavigatorGpu(): Promise<void> {
  const found = await gpuOfThisHost();
  if ('reason' in found) throw new UnsupportedError(`webgpu is not available: ${found.reason}.`);
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } };
  if (navigator?.gpu) return;
  Object.defineProperty(globalThis, 'navigator', {
    value: { ...navigator, gpu: found.gpu },
    configurable: true,
  });
}
