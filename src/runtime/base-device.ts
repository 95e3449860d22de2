import { invariant, UserError } from '../errors.ts';
import { elementCount, type Layout } from '../layout/layout.ts';
import { boundKernels } from './bound-kernels.ts';
import { type BoundView, isEmpty } from './bound-view.ts';
import { checked } from './checked-data.ts';
import type { BackendName, Device, DeviceRun, DType, RunMemory, RunOptions, StorageView } from './device.ts';
import type { Kernel } from './kernel.ts';
import { MemoryMeter } from './memory.ts';
import { checkOverwriting } from './overwriting.ts';
import { type Profile, Profiler } from './profile.ts';
import { ActiveRun } from './run.ts';
import type { Storage } from './storage.ts';
import { Tensor } from './tensor.ts';
import type { KernelChoice, TunedKernels } from './tuned.ts';
import { gather, runs, span, toView3 } from './view3.ts';

type OnKernel = (name: string, from: number, to: number, shape: readonly number[]) => void;

const BYTES = 4;

/** A storage with the backend's own handle. */
class OwnedStorage<Handle> implements Storage {
  readonly owner: BaseDevice<Handle>;
  readonly bytes: number;
  readonly role: Storage['role'];
  readonly handle: Handle;
  alive = true;
  /** The run that allocated it or took it over. */
  run: ActiveRun | undefined;

  constructor(owner: BaseDevice<Handle>, bytes: number, role: Storage['role'], handle: Handle) {
    this.owner = owner;
    this.bytes = bytes;
    this.role = role;
    this.handle = handle;
  }

  free(): void {
    if (!this.alive) throw new UserError('free: this tensor was already freed. Free every storage once.');
    this.alive = false;
    this.run?.forget(this);
    this.owner.reclaim(this);
  }
}

/** A block of memory in which one run places its storages. */
export interface Reservation<Handle> {
  /** Memory for `elements` floats at an offset in bytes. */
  allocate(elements: number, at: number): Handle;
  /** Gives back what is not in use; what is stays as it is. */
  close(): void;
}

/**
 * What all backends have in common: checking, counting, tensors. A backend supplies memory (`allocate`, `release`,
 * `writeRange`, `readRange`) and execution (`execute`, `settle`).
 */
export abstract class BaseDevice<Handle> implements Device {
  abstract readonly backend: BackendName;
  abstract readonly adapter: string;
  abstract readonly maxStorageBytes: number;
  readonly threads: number = 1;
  readonly memory: MemoryMeter = new MemoryMeter(
    () => this.reservedBytes(),
    () => this.workspaceBytes(),
  );
  readonly calls: Record<KernelChoice, number> = { gpujs: 0, tuned: 0 };
  #destroyed = false;
  #tuned: TunedKernels<StorageView> | undefined;
  #profiler: Profiler | undefined;
  /** Profiling: is the time of a kernel that of its dispatch, or do only flushes have one? */
  #timesEach = false;
  #timesFlushes = false;
  #recordedSince: number | undefined;
  /** Has a kernel run when its dispatch returns? */
  protected readonly runsAtOnce: boolean = true;

  /** Begins to time kernels where the device can do so itself; returns how to stop. */
  protected timeKernels(_onKernel: OnKernel): (() => Promise<void>) | undefined {
    return undefined;
  }

  /** Memory for `elements` floats; throws UserError when the device has no more. */
  protected abstract allocate(elements: number): Handle;
  protected abstract release(handle: Handle): void;
  /** A block for the offsets of one run, where the backend has an arena; `donated` lie at its start where they can. */
  protected reserve(_bytes: number, _donated: readonly Handle[]): Reservation<Handle> | undefined {
    return undefined;
  }
  /** Stores `data` from element `first` on, ordered after everything recorded so far. */
  protected abstract writeRange(handle: Handle, first: number, data: Float32Array): void;
  /** Elements `first ≤ i < end`, after everything recorded so far. */
  protected abstract readRange(handle: Handle, first: number, end: number): Promise<Float32Array>;
  protected abstract execute(
    kernel: Kernel,
    out: BoundView<Handle>,
    arrays: readonly BoundView<Handle>[],
    scalars: readonly number[],
  ): void;
  /** Waits for everything recorded and reports what went wrong in it. */
  protected abstract settle(): Promise<void>;
  protected abstract dispose(): Promise<void>;
  protected abstract reservedBytes(): number;

  /** The device's own implementations, where it has any; views are checked, and `out` is no operand. */
  protected ownKernels(): TunedKernels<BoundView<Handle>> | undefined {
    return undefined;
  }

  protected workspaceBytes(): number {
    return 0;
  }

  get kernels(): KernelChoice {
    return this.ownKernels() ? 'tuned' : 'gpujs';
  }

  get tuned(): TunedKernels<StorageView> | undefined {
    if (!this.#tuned) {
      const own = this.ownKernels();
      this.#tuned =
        own &&
        boundKernels(own, {
          bound: (kernel, view) => this.#bound(kernel, view),
          run: (kernel, out, run) => this.#counted('tuned', kernel, out, run),
        });
    }
    return this.#tuned;
  }

  alloc(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    return Tensor.over(this, this.#storage(shape, 'activation'), shape, dtype);
  }

  async run<T>(
    compute: (device: DeviceRun) => Promise<T>,
    options: RunOptions = {},
    { arenaBytes = 0, donated = [] }: RunMemory = {},
  ): Promise<T> {
    const taken = donated.map(({ storage }) => this.#owned(storage));
    const reservation =
      arenaBytes > 0
        ? this.reserve(
            arenaBytes,
            taken.map(({ handle }) => handle),
          )
        : undefined;
    const run = new ActiveRun(
      options,
      donated,
      (shape, dtype, at) => {
        const place = at === undefined ? undefined : reservation && { in: reservation, at };
        const storage = this.#storage(shape, 'activation', place);
        storage.run = run;
        return Tensor.over(this, storage, shape, dtype);
      },
      () => this.flush(),
      (section) => this.#profiler?.section(section),
    );
    for (const storage of taken) storage.run = run;
    try {
      run.begin();
      return await compute(run);
    } catch (error) {
      if (!this.#destroyed) run.abandon();
      throw error;
    } finally {
      this.#profiler?.section(undefined);
      if (!this.#destroyed) reservation?.close();
    }
  }

  upload(data: ArrayLike<number>, shape: readonly number[], dtype: DType = 'f32'): Tensor {
    return this.#filled('upload', data, shape, dtype, 'activation');
  }

  parameter(data: ArrayLike<number>, shape: readonly number[], dtype: DType = 'f32'): Tensor {
    return this.#filled('parameter', data, shape, dtype, 'parameter');
  }

  write(tensor: Tensor, data: ArrayLike<number>): void {
    const { layout, storage } = tensor.view;
    const { handle } = this.#owned(storage);
    const values = checked('write', data, layout.shape, tensor.dtype);
    for (const run of runs(layout)) {
      this.writeRange(handle, run.element, values.subarray(run.at, run.at + run.length));
    }
  }

  async read(tensor: Tensor): Promise<Float32Array> {
    const { layout, storage } = tensor.view;
    const owned = this.#owned(storage);
    const { first, end } = span(layout);
    if (first === end) return new Float32Array(0);
    const elements = await this.readRange(owned.handle, first, end);
    return gather(elements, layout, first);
  }

  async flush(): Promise<void> {
    this.#mustBeOpen();
    await this.settle();
    const from = this.#recordedSince;
    this.#recordedSince = undefined;
    if (from !== undefined) this.#profiler?.kernel('all recorded kernels', from, performance.now(), []);
  }

  profile(): Profile {
    this.#mustBeOpen();
    if (this.#profiler)
      throw new UserError('profile: this device is being profiled. Stop that profile first.');
    const stopTiming = this.timeKernels((...kernel) => profiler.kernel(...kernel));
    const timing = this.runsAtOnce
      ? 'process time'
      : stopTiming
        ? 'GPU time'
        : 'from recording to completion';
    const device = `${this.backend} (${this.adapter})`;
    const profiler = new Profiler(device, timing, this.memory.liveBytes);
    this.#profiler = profiler;
    this.#timesEach = this.runsAtOnce;
    this.#timesFlushes = !this.runsAtOnce && !stopTiming;
    return {
      stop: async () => {
        if (this.#profiler !== profiler) throw new UserError('stop: this profile was stopped before.');
        await this.flush();
        await stopTiming?.();
        this.#profiler = undefined;
        this.#timesEach = false;
        this.#timesFlushes = false;
        return profiler.trace();
      },
    };
  }

  /** Runs a kernel if there is anything to compute, timed where this device runs it at once and somebody profiles. */
  #counted(choice: KernelChoice, name: string, out: BoundView<Handle>, run: () => void): void {
    if (isEmpty(out)) return;
    this.calls[choice]++;
    if (this.#timesFlushes) this.#recordedSince ??= performance.now();
    if (!this.#timesEach) {
      run();
      return;
    }
    const from = performance.now();
    run();
    this.#profiler?.kernel(name, from, performance.now(), out.extents);
  }

  async destroy(): Promise<void> {
    if (this.#destroyed) return;
    this.#destroyed = true;
    await this.dispose();
  }

  dispatch(
    kernel: Kernel,
    out: StorageView,
    arrays: readonly StorageView[],
    scalars: readonly number[],
  ): void {
    this.#mustBeOpen();
    invariant(
      arrays.length === kernel.arrays && scalars.length === kernel.scalars.length,
      () =>
        `kernel ${kernel.name} takes ${kernel.arrays} arrays and ${kernel.scalars.length} scalars, got ` +
        `${arrays.length} and ${scalars.length}`,
    );
    checkOverwriting(kernel, out, arrays);
    const target = this.#bound(kernel.name, out);
    const operands = arrays.map((array) => this.#bound(kernel.name, array));
    this.#counted('gpujs', kernel.name, target, () => this.execute(kernel, target, operands, scalars));
  }

  /** Called by a storage that was freed. */
  reclaim(storage: {
    readonly handle: Handle;
    readonly bytes: number;
    readonly role: Storage['role'];
  }): void {
    if (this.#destroyed) return;
    this.memory.freed(storage.bytes, storage.role);
    this.#profiler?.live(this.memory.liveBytes);
    this.release(storage.handle);
  }

  #storage(
    shape: readonly number[],
    role: Storage['role'],
    place?: { readonly in: Reservation<Handle>; readonly at: number },
  ): OwnedStorage<Handle> {
    this.#mustBeOpen();
    if (shape.some((extent) => !Number.isSafeInteger(extent) || extent < 0)) {
      throw new UserError(`alloc: [${shape.join(', ')}] is not a shape. Extents are integers >= 0.`);
    }
    const bytes = elementCount(shape) * BYTES;
    if (bytes > this.maxStorageBytes) {
      throw new UserError(
        `alloc: [${shape.join(', ')}] takes ${bytes} bytes, but the largest tensor that ${this.backend} ` +
          `(${this.adapter}) can hold takes ${this.maxStorageBytes}. Compile with a cap (--cap) of that size or less.`,
      );
    }
    const elements = bytes / BYTES;
    const handle = place ? place.in.allocate(elements, place.at) : this.allocate(elements);
    this.memory.allocated(bytes, role);
    this.#profiler?.live(this.memory.liveBytes);
    return new OwnedStorage(this, bytes, role, handle);
  }

  #filled(
    op: string,
    data: ArrayLike<number>,
    shape: readonly number[],
    dtype: DType,
    role: Storage['role'],
  ): Tensor {
    const values = checked(op, data, shape, dtype);
    const storage = this.#storage(shape, role);
    if (values.length > 0) this.writeRange(storage.handle, 0, values);
    return Tensor.over(this, storage, shape, dtype);
  }

  #owned(storage: Storage): OwnedStorage<Handle> {
    this.#mustBeOpen();
    if (!(storage instanceof OwnedStorage) || storage.owner !== this) {
      throw new UserError(
        `this tensor belongs to another device than ${this.backend} (${this.adapter}). ` +
          'Read it there and upload it here.',
      );
    }
    if (!storage.alive) {
      throw new UserError('this tensor was freed. Use it before free(), or free it after its last use.');
    }
    return storage as OwnedStorage<Handle>;
  }

  #bound(kernel: string, view: StorageView): BoundView<Handle> {
    const storage = this.#owned(view.storage);
    checkLayout(kernel, view.layout, storage.bytes / BYTES);
    const { base, extents, strides } = toView3(view.layout);
    return { handle: storage.handle, base, extents, strides };
  }

  #mustBeOpen(): void {
    if (this.#destroyed) {
      throw new UserError(`the ${this.backend} device was destroyed. Open another one with openDevice().`);
    }
  }
}

function checkLayout(kernel: string, layout: Layout, elements: number): void {
  invariant(layout.shape.length <= 3, () => `kernel ${kernel} got a view of rank ${layout.shape.length}`);
  const { first, end } = span(layout);
  invariant(
    first === end || (first >= 0 && end <= elements),
    () => `kernel ${kernel} got a view of elements ${first} to ${end} over a storage of ${elements} elements`,
  );
}
