import type { DeviceRun, DType, RunOptions, RunProgress } from './device.ts';
import type { Storage } from './storage.ts';
import type { Tensor } from './tensor.ts';

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
