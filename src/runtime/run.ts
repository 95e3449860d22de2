import type { DType } from './device.ts';
import type { Storage } from './storage.ts';
import type { Tensor } from './tensor.ts';

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

/** Time after which a run that is watched lets other work of the process run. */
const PAUSE_EVERY_MS = 50;

/** One run: what it has allocated, and who watches it. */
export class ActiveRun implements DeviceRun {
  readonly #options: RunOptions;
  readonly #allocate: (shape: readonly number[], dtype: DType, at: number | undefined) => Tensor;
  readonly #flush: () => Promise<void>;
  readonly #onSection: (section: string) => void;
  readonly #live = new Set<Storage>();
  #section = '';
  #pausedAt = performance.now();

  constructor(
    options: RunOptions,
    donated: readonly Tensor[],
    allocate: (shape: readonly number[], dtype: DType, at: number | undefined) => Tensor,
    flush: () => Promise<void>,
    onSection: (section: string) => void,
  ) {
    this.#onSection = onSection;
    this.#options = options;
    this.#allocate = allocate;
    this.#flush = flush;
    for (const { storage } of donated) this.#live.add(storage);
  }

  alloc(
    shape: readonly number[],
    { at, dtype = 'f32' }: { readonly at?: number; readonly dtype?: DType } = {},
  ): Tensor {
    const tensor = this.#allocate(shape, dtype, at);
    this.#live.add(tensor.storage);
    return tensor;
  }

  enter(section: string): Promise<void> | undefined {
    this.#section = section;
    this.#onSection(section);
    return this.#look({ section });
  }

  step(id: string, done: number, of: number): Promise<void> | undefined {
    return this.#look({ section: this.#section, loop: { id, done, of } });
  }

  /** Called by a storage of the run that was freed. */
  forget(storage: Storage): void {
    this.#live.delete(storage);
  }

  /** Throws when the run is not to begin. */
  begin(): void {
    this.#options.signal?.throwIfAborted();
  }

  /** Frees what the run has not freed, and the inputs that passed to it. */
  abandon(): void {
    for (const storage of [...this.#live]) if (storage.alive) storage.free();
    this.#live.clear();
  }

  #look(progress: RunProgress): Promise<void> | undefined {
    const { signal, onProgress } = this.#options;
    if (!signal && !onProgress) return undefined;
    signal?.throwIfAborted();
    onProgress?.(progress);
    return performance.now() - this.#pausedAt < PAUSE_EVERY_MS ? undefined : this.#pause();
  }

  /** Waits for what was recorded, and for a turn of the event loop: signals and timers come in turns. */
  async #pause(): Promise<void> {
    await this.#flush();
    await new Promise<void>((resolve) => {
      if (typeof setImmediate === 'function') setImmediate(resolve);
      else setTimeout(resolve, 0);
    });
    this.#pausedAt = performance.now();
    this.#options.signal?.throwIfAborted();
  }
}
