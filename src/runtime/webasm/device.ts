import { UserError } from '../../errors.ts';
import { BaseDevice, type BoundView } from '../base-device.ts';
import { MARGIN_ELEMENTS, PAGE_BYTES, WebasmExecutor } from '../gpujs/webasm.ts';
import { ARENA_START, MAX_PAGES, PARAMETER_BLOCK } from '../gpujs/webasm-module.ts';
import type { Kernel } from '../kernel.ts';
import type { KernelChoice, TunedKernels } from '../tuned.ts';
import type { View3 } from '../view3.ts';
import { Arena } from './arena.ts';
import { GemmExecutor } from './gemm/executor.ts';
import { WORKSPACE_BYTES } from './gemm/module.ts';

const LIMIT = MAX_PAGES * PAGE_BYTES - MARGIN_ELEMENTS * 4;

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

/** WebAssembly SIMD over one growing memory. Runs every kernel at once when it is dispatched. */
export class WebasmDevice extends BaseDevice<number> {
  override readonly backend = 'webasm';
  override readonly adapter = 'WebAssembly SIMD';
  override readonly maxStorageBytes: number;
  #memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES });
  #executor = new WebasmExecutor(this.#memory);
  readonly #arena: Arena;
  readonly #workspaceBytes: number;
  readonly #ownKernels: TunedKernels<BoundView<number>> | undefined;

  /** `tuned`: matrix products run as hand-written WebAssembly, else as gpu.js kernels. */
  constructor({ kernels = 'tuned' }: { readonly kernels?: KernelChoice } = {}) {
    super();
    this.#workspaceBytes = kernels === 'tuned' ? WORKSPACE_BYTES : 0;
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

  protected override writeRange(address: number, first: number, data: Float32Array): void {
    new Float32Array(this.#memory.buffer, address + first * 4, data.length).set(data);
  }

  protected override readRange(address: number, first: number, end: number): Promise<Float32Array> {
    return Promise.resolve(new Float32Array(this.#memory.buffer, address + first * 4, end - first).slice());
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
    const gemm = new GemmExecutor({
      memory: this.#memory,
      maximumPages: MAX_PAGES,
      block: PARAMETER_BLOCK.address,
      workspace: ARENA_START,
    });
    return {
      description: gemm.description,
      multiply: ({ out, a, b, bias, accumulate }) =>
        gemm.multiply({
          out: inMemory(out),
          a: inMemory(a),
          b: inMemory(b),
          bias: bias && inMemory(bias),
          accumulate: accumulate === true,
        }),
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
    };
  }

  protected override settle(): Promise<void> {
    return Promise.resolve();
  }

  protected override dispose(): Promise<void> {
    this.#memory = new WebAssembly.Memory({ initial: 1 });
    this.#executor = new WebasmExecutor(this.#memory);
    return Promise.resolve();
  }

  protected override reservedBytes(): number {
    return this.#arena.highWater;
  }

  protected override workspaceBytes(): number {
    return this.#workspaceBytes;
  }

  #growTo(end: number): void {
    const pages = Math.ceil((end + MARGIN_ELEMENTS * 4) / PAGE_BYTES);
    const missing = pages - this.#memory.buffer.byteLength / PAGE_BYTES;
    if (missing <= 0) return;
    try {
      this.#memory.grow(missing);
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
