import type { Layout } from '../layout/layout.ts';
import type { Kernel } from './kernel.ts';
import type { Profile } from './profile.ts';
import type { Storage } from './storage.ts';
import type { Tensor } from './tensor.ts';
import type { KernelChoice, TunedKernels } from './tuned.ts';

export type BackendName = 'webgpu' | 'webasm' | 'cpu';
/** i32 tensors hold exact integers of magnitude ≤ 2^24 in 4-byte floats. */
export type DType = 'f32' | 'i32';

/** Exact byte counts. `live` and `peak` are activations only; parameters are counted apart; reserved is what the pool or arena holds. */
export interface MemoryCounters {
  readonly liveBytes: number;
  readonly peakBytes: number;
  readonly parameterBytes: number;
  readonly reservedBytes: number;
  /** Fixed memory of the device's own for packed operands, the same for every model; in none of the other figures. */
  readonly workspaceBytes: number;
  /** Starts a new measurement: `peakBytes` becomes `liveBytes`. */
  resetPeak(): void;
}

/** A storage seen through a layout: what kernels read and write. */
export interface StorageView {
  readonly storage: Storage;
  readonly layout: Layout;
}

/** What a caller may ask of one run of a generated module. */
export interface RunOptions {
  /** Ends the run where it next looks: between sections and iterations of loops. What the run allocated is freed. */
  readonly signal?: AbortSignal | undefined;
  /** Told of every section and iteration that begins. */
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
}

export interface RunProgress {
  /** Scope of the model that runs, e.g. `h.3.attn`; '' before the first. */
  readonly section: string;
  /** The loop inside it whose iteration begins: units done, of so many. */
  readonly loop?: { readonly id: string; readonly done: number; readonly of: number };
}

/** What a generated module says about the memory of a run. */
export interface RunMemory {
  /** Bytes of the block that its offsets lie in, where the backend has an arena. */
  readonly arenaBytes?: number;
  /** Inputs that pass to the module. They lie at the start of the block where they were uploaded one after another. */
  readonly donated?: readonly Tensor[];
}

/** The device as one run of a generated module sees it. */
export interface DeviceRun {
  /**
   * A new contiguous activation tensor, contents undefined, like `Device.alloc`. `at`: its offset in the arena of the run,
   * in bytes; devices without an arena place it anywhere.
   */
  alloc(shape: readonly number[], options?: { readonly at?: number; readonly dtype?: DType }): Tensor;
  /** A section of the model begins. Throws the reason of an aborted signal. */
  enter(section: string): Promise<void> | undefined;
  /** An iteration of a loop begins, at unit `done` of `of`. Throws the reason of an aborted signal. */
  step(loop: string, done: number, of: number): Promise<void> | undefined;
}

/**
 * Where tensors live and kernels run. Calls are recorded in order; only `read` and `flush` wait for the device.
 * Every backend implements this contract; nothing else of a backend is visible.
 */
export interface Device {
  readonly backend: BackendName;
  /** Human-readable adapter or engine, e.g. `SwiftShader (software)`. */
  readonly adapter: string;
  /** Largest single storage in bytes that the device can bind. */
  readonly maxStorageBytes: number;
  readonly memory: MemoryCounters;
  /** Threads that share the work of one call; 1 where a backend has no say in it. */
  readonly threads: number;
  /** Which implementations run: `gpujs` where asked for, and where the device has no others. */
  readonly kernels: KernelChoice;
  /** The device's own implementations, with `kernels` tuned. For kernel wrappers only. */
  readonly tuned: TunedKernels<StorageView> | undefined;
  /** How many calls each kind of implementation has served. */
  readonly calls: Readonly<Record<KernelChoice, number>>;
  /** A new contiguous activation tensor, contents undefined. */
  alloc(shape: readonly number[], dtype?: DType): Tensor;
  /** A new activation tensor with the given elements (row-major). Throws UserError on a wrong length or, for i32, a non-integer. */
  upload(data: ArrayLike<number>, shape: readonly number[], dtype?: DType): Tensor;
  /** Like `upload`, counted as a parameter. */
  parameter(data: ArrayLike<number>, shape: readonly number[], dtype?: DType): Tensor;
  /**
   * Stores `data` (row-major) in a contiguous tensor, ordered after everything recorded so far. Throws UserError on a
   * wrong length or a tensor whose elements do not lie one after another.
   */
  write(tensor: Tensor, data: ArrayLike<number>): void;
  /** The elements in row-major order of the tensor's own shape, whatever its strides. */
  read(tensor: Tensor): Promise<Float32Array>;
  /** Resolves when everything recorded so far has run. */
  flush(): Promise<void>;
  /** Releases everything. Tensors of this device are dead afterwards. */
  destroy(): Promise<void>;
  /**
   * Records every kernel with its time, sections of models and live bytes, until the profile is stopped. Throws UserError
   * while another profile records.
   */
  profile(): Profile;
  /**
   * Runs a generated module's computation: on a failure or an aborted signal everything that it allocated, and the inputs
   * that passed to it, are freed. For generated modules only.
   */
  run<T>(compute: (device: DeviceRun) => Promise<T>, options?: RunOptions, memory?: RunMemory): Promise<T>;
  /**
   * Runs `kernel` once per element of `out`: thread x is its last axis, y and z the ones before. `out` and `arrays`
   * have rank ≤ 3 (use `foldAxes`); kernels see them as `a[z][y][x]` through their strides. An array shares a
   * storage with `out` only if it is the very view and threads read none but their own element of it: it is overwritten.
   * For kernel wrappers only.
   */
  dispatch(
    kernel: Kernel,
    out: StorageView,
    arrays: readonly StorageView[],
    scalars: readonly number[],
  ): void;
}
