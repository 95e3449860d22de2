import { UserError } from '../../errors.ts';
import { BaseDevice } from '../base-device.ts';
import type { BoundView } from '../bound-view.ts';
import { compileForCpu } from '../gpujs/cpu.ts';
import type { Kernel } from '../kernel.ts';

/** Largest single storage. */
export const CPU_STORAGE_BYTES = 2 ** 32 - 4;

/** Plain JavaScript: the slow reference. Runs every kernel at once when it is dispatched. */
export class CpuDevice extends BaseDevice<Float32Array> {
  override readonly backend = 'cpu';
  override readonly adapter = 'JavaScript';
  override readonly maxStorageBytes = CPU_STORAGE_BYTES;
  #inUse = 0;
  #highest = 0;

  protected override allocate(elements: number): Float32Array {
    try {
      const data = new Float32Array(elements);
      this.#inUse += data.byteLength;
      this.#highest = Math.max(this.#highest, this.#inUse);
      return data;
    } catch (cause) {
      throw new UserError(`alloc: the process has no ${elements * 4} bytes left. Use a smaller budget.`, {
        cause,
      });
    }
  }

  protected override release(data: Float32Array): void {
    this.#inUse -= data.byteLength;
  }

  protected override writeRange(data: Float32Array, first: number, values: Float32Array): void {
    data.set(values, first);
  }

  protected override readRange(data: Float32Array, first: number, end: number): Promise<Float32Array> {
    return Promise.resolve(data.slice(first, end));
  }

  protected override execute(
    kernel: Kernel,
    out: BoundView<Float32Array>,
    arrays: readonly BoundView<Float32Array>[],
    scalars: readonly number[],
  ): void {
    const bound = (view: BoundView<Float32Array>) => ({
      data: view.handle,
      base: view.base,
      extents: view.extents,
      strides: view.strides,
    });
    compileForCpu(kernel)(bound(out), arrays.map(bound), scalars);
  }

  protected override settle(): Promise<void> {
    return Promise.resolve();
  }

  protected override dispose(): Promise<void> {
    this.#inUse = 0;
    this.#highest = 0;
    return Promise.resolve();
  }

  protected override reservedBytes(): number {
    return this.#highest;
  }
}
