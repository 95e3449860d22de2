import { Kernel as GpuKernel, type KernelSettings } from 'gpu.js/src/backend/kernel.js';
import { Input } from 'gpu.js/src/input.js';
import { InternalError } from '../../errors.ts';
import type { Kernel } from '../kernel.ts';

/** gpu.js cuts loops whose bound it cannot see after 1000 iterations unless told otherwise. */
export const LOOP_MAX_ITERATIONS = 2 ** 30;

/** How gpu.js is told about a kernel's arguments; arrays are of gpu.js's type `arrayType`. */
export const kernelSettings = (kernel: Kernel, arrayType: string): KernelSettings => ({
  output: [1, 1, 1],
  argumentTypes: [...new Array<string>(kernel.arrays).fill(arrayType), ...kernel.scalars],
  loopMaxIterations: LOOP_MAX_ITERATIONS,
});

/** Tells a gpu.js kernel its argument types. No real argument is needed: `array` stands for every array. */
export function setUp(gpuKernel: GpuKernel, kernel: Kernel, array: unknown): void {
  gpuKernel.setupConstants();
  gpuKernel.setupArguments([
    ...new Array<unknown>(kernel.arrays).fill(array),
    ...kernel.scalars.map(() => 0),
  ]);
}

/** A gpu.js kernel that exists only to be translated: no canvas, no context, no execution. */
class TranslatedKernel extends GpuKernel {
  constructor(source: string, settings: KernelSettings) {
    super(source, settings);
    this.mergeSettings(settings);
    this.precision = 'single';
  }
  override initCanvas(): null {
    return null;
  }
  override initContext(): null {
    return null;
  }
  override initPlugins(): never[] {
    return [];
  }
}

/** The kernel in gpu.js's terms, ready for a FunctionBuilder. */
export function prepare(kernel: Kernel): GpuKernel {
  const gpuKernel = new TranslatedKernel(kernel.source.toString(), kernelSettings(kernel, 'Input'));
  setUp(gpuKernel, kernel, new Input([0], [1, 1, 1]));
  return gpuKernel;
}

/** Runs a translation; a failure names the kernel, because gpu.js's own message does not. */
export function translating<T>(kernel: Kernel, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InternalError(`kernel ${kernel.name} does not compile: ${reason}`, { cause });
  }
}
