import { UserError } from '../../errors.ts';
import { BaseDevice, type Reservation } from '../base-device.ts';
import type { BoundView } from '../bound-view.ts';
import { MARGIN_ELEMENTS, PAGE_BYTES, WebasmExecutor } from '../gpujs/webasm.ts';
import { ARENA_START, MAX_PAGES, PARAMETER_BLOCK } from '../gpujs/webasm-module.ts';
import type { Kernel } from '../kernel.ts';
import type { KernelChoice, TunedKernels } from '../tuned.ts';
import type { View3 } from '../view3.ts';
import { Arena } from './arena.ts';
import { GemmExecutor } from './gemm/executor.ts';
import { WORKSPACE_BYTES } from './gemm/module.ts';
import { SoftmaxExecutor } from './rows/softmax.ts';
import { Runner } from './runner.ts';
import { MOST_BY_DEFAULT, type ThreadHost } from './threads/host.ts';

const LIMIT = MAX_PAGES * PAGE_BYTES - MARGIN_ELEMENTS * 4;

/**
 * Largest single storage on every machine: all that a memory of 4 GiB holds beside the executor's own and the workspaces of
 * as many threads as a device starts by itself.
 */
export const WEBASM_STORAGE_BYTES = LIMIT - ARENA_START - MOST_BY_DEFAULT * WORKSPACE_BYTES;

/** A module with one SIMD instruction: valid where SIMD is supported. */
const SIMD_PROBE = Uint8Array.of(
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  5,
  1,
  96,
  0,
  1,
  123,
  3,
  2,
  1,
  0,
  10,
  10,
  1,
  8,
  0,
  65,
  0,
  253,
  15,
  253,
  98,
  11,
);

/** Why WebAssembly cannot be used here; undefined where it can. */
export function webasmAbsence(): string | undefined {
  if (typeof WebAssembly !== 'object') return 'this JavaScript engine has no WebAssembly';
  if (!WebAssembly.validate(SIMD_PROBE)) return 'this JavaScript engine has no WebAssembly SIMD';
  return undefined;
}

export interface WebasmOptions {
  /** `tuned`: matrix products run as hand-written WebAssembly, else as gpu.js kernels. */
  readonly kernels?: KernelChoice;
  /** Threads that share the work, the calling one among them; more than one needs a host. */
  readonly threads?: number;
  readonly host?: ThreadHost | undefined;
}

/** The memory of a device; an unshared one, and one thread, where the engine has no room for a shared one. */
function memoryFor(
  threads: number,
  host: ThreadHost | undefined,
): { memory: WebAssembly.Memory; threads: number; host?: ThreadHost } {
  const limits = { initial: 1, maximum: MAX_PAGES };
  if (threads > 1 && host) {
    try {
      return { memory: new WebAssembly.Memory({ ...limits, shared: true }), threads, host };
    } catch {
      // A shared memory takes its largest size of the address space at once, which not every host grants.
    }
  }
  return { memory: new WebAssembly.Memory(limits), threads: 1 };
}

/** WebAssembly SIMD over one growing memory. Runs every kernel at once when it is dispatched. */
export class WebasmDevice extends BaseDevice<number> {
  override readonly backend = 'webasm';
  override readonly adapter = 'WebAssembly SIMD';
  override readonly maxStorageBytes: number;
  override readonly threads: number;
  #runner: Runner;
  #executor: WebasmExecutor;
  readonly #arena: Arena;
  readonly #workspaceBytes: number;
  #ownKernels: TunedKernels<BoundView<number>> | undefined;

  constructor({ kernels = 'tuned', threads = 1, host }: WebasmOptions = {}) {
    super();
    this.#runner = new Runner({
      ...memoryFor(threads, host),
      workspaceOf: (thread) => (kernels === 'tuned' ? ARENA_START + thread * WORKSPACE_BYTES : 0),
    });
    this.threads = this.#runner.threads;
    this.#executor = new WebasmExecutor(this.#runner);
    this.#workspaceBytes = kernels === 'tuned' ? WORKSPACE_BYTES * this.threads : 0;
    const start = ARENA_START + this.#workspaceBytes;
    this.maxStorageBytes = LIMIT - start;
    this.#arena = new Arena(start, LIMIT, (end) => this.#growTo(end));
    if (kernels === 'tuned') {
      this.#growTo(start);
      this.#ownKernels = this.#tunedKernels();
    }
  }

  protected override allocate(elements: number): number {
    return this.#arena.allocate(elements * 4);
  }

  protected override release(address: number): void {
    this.#arena.release(address);
  }

  protected override reserve(bytes: number, donated: readonly number[]): Reservation<number> {
    const region = this.#arena.reserve(bytes, donated);
    return {
      allocate: (elements, at) => this.#arena.place(region, at, elements * 4),
      close: () => this.#arena.close(region),
    };
  }

  protected override writeRange(address: number, first: number, data: Float32Array): void {
    new Float32Array(this.#runner.memory.buffer, address + first * 4, data.length).set(data);
  }

  protected override readRange(address: number, first: number, end: number): Promise<Float32Array> {
    return Promise.resolve(
      new Float32Array(this.#runner.memory.buffer, address + first * 4, end - first).slice(),
    );
  }

  protected override execute(
    kernel: Kernel,
    out: BoundView<number>,
    arrays: readonly BoundView<number>[],
    scalars: readonly number[],
  ): void {
    this.#executor.run(kernel, inMemory(out), arrays.map(inMemory), scalars);
  }

  protected override ownKernels(): TunedKernels<BoundView<number>> | undefined {
    return this.#ownKernels;
  }

  #tunedKernels(): TunedKernels<BoundView<number>> {
    const options = {
      runner: this.#runner,
      maximumPages: MAX_PAGES,
      block: PARAMETER_BLOCK.address,
    };
    const gemm = new GemmExecutor(options);
    const softmax = new SoftmaxExecutor(options);
    return {
      description: gemm.description,
      multiply: ({ out, a, b, bias, accumulate, seen }) =>
        gemm.multiply({
          out: inMemory(out),
          a: inMemory(a),
          b: inMemory(b),
          bias: bias && inMemory(bias),
          accumulate: accumulate === true,
          seen,
        }),
      multiplyLanes: ({ out, a, b }) =>
        gemm.multiplyLanes({ out: inMemory(out), a: inMemory(a), b: inMemory(b) }),
      convolve: (convolution) => {
        const { out, image, weight, bias } = convolution;
        gemm.convolve({
          ...convolution,
          out: inMemory(out),
          image: inMemory(image),
          weight: inMemory(weight),
          bias: bias && inMemory(bias),
        });
      },
      softmax: ({ out, x, seen }) => softmax.run({ out: inMemory(out), x: inMemory(x), seen }),
    };
  }

  protected override settle(): Promise<void> {
    return Promise.resolve();
  }

  protected override async dispose(): Promise<void> {
    await this.#runner.end();
    // Nothing keeps the memory.
    const memory = new WebAssembly.Memory({ initial: 1 });
    this.#runner = new Runner({ memory, threads: 1, workspaceOf: () => 0 });
    this.#executor = new WebasmExecutor(this.#runner);
    this.#ownKernels = undefined;
  }

  protected override reservedBytes(): number {
    return this.#arena.highWater;
  }

  protected override workspaceBytes(): number {
    return this.#workspaceBytes;
  }

  #growTo(end: number): void {
    const pages = Math.ceil((end + MARGIN_ELEMENTS * 4) / PAGE_BYTES);
    const missing = pages - this.#runner.memory.buffer.byteLength / PAGE_BYTES;
    if (missing <= 0) return;
    try {
      this.#runner.memory.grow(missing);
    } catch (cause) {
      throw new UserError(
        `alloc: the WebAssembly memory cannot grow to ${pages * PAGE_BYTES} bytes. Use a smaller budget.`,
        { cause },
      );
    }
  }
}

/** The view in elements from the start of the memory. */
const inMemory = (view: BoundView<number>): View3 => ({
  base: view.handle / 4 + view.base,
  extents: view.extents,
  strides: view.strides,
});
