import { invariant } from '../../errors.ts';

/** Buffers are rounded up to this many bytes, so that near sizes share. */
const GRANULE = 256;
/** A free buffer serves requests down to this share of its size. */
const TIGHTNESS = 0.8;
/** Reserved bytes of activations stay under `SLACK` times the most ever in use, plus `FLOOR`. */
const SLACK = 1.05;
const FLOOR = 2 ** 14;
const USAGE_STORAGE_COPY = 0x80 | 0x04 | 0x08;

export interface PoolOptions {
  /** Submits recorded work and forgets what refers to the buffers. */
  readonly beforeDestroy: (buffers: readonly GPUBuffer[]) => void;
  /** Bytes of the parameters, which are in use all the time: they give no slack. */
  readonly parameterBytes: () => number;
}

/** A buffer of the pool. Its size is kept here because reading it from the buffer is a call into the host. */
interface Held {
  readonly buffer: GPUBuffer;
  readonly size: number;
  /** Buffers that the pool made before. */
  readonly order: number;
}

/**
 * Storage buffers by size. A freed buffer is reused at once: work already recorded on it comes earlier in the queue. When
 * more is held than the most that was in use, free buffers are destroyed, least recently freed first.
 */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #options: PoolOptions;
  /** Free buffers, least recently freed first. */
  #free: Held[] = [];
  readonly #inUse = new Map<GPUBuffer, Held>();
  #made = 0;
  #inUseBytes = 0;
  /** Without parameters. */
  #highestInUse = 0;
  #reserved = 0;

  constructor(device: GPUDevice, options: PoolOptions) {
    this.#device = device;
    this.#options = options;
  }

  get reservedBytes(): number {
    return this.#reserved;
  }

  acquire(bytes: number): GPUBuffer {
    const size = Math.max(GRANULE, Math.ceil(bytes / GRANULE) * GRANULE);
    const held = this.#reuse(size) ?? this.#create(size);
    this.#inUse.set(held.buffer, held);
    this.#inUseBytes += held.size;
    this.#highestInUse = Math.max(this.#highestInUse, this.#inUseBytes - this.#options.parameterBytes());
    return held.buffer;
  }

  release(buffer: GPUBuffer): void {
    const held = this.#inUse.get(buffer);
    invariant(held, 'a buffer is released that is not in use');
    this.#inUse.delete(buffer);
    this.#inUseBytes -= held.size;
    this.#free.push(held);
  }

  destroy(): void {
    for (const { buffer } of [...this.#free, ...this.#inUse.values()]) buffer.destroy();
    this.#free = [];
    this.#inUse.clear();
    this.#reserved = 0;
  }

  /** The tightest fit, and of those the first made: every iteration of a loop gets the buffers of the one before. */
  #reuse(size: number): Held | undefined {
    const free = this.#free;
    let best = -1;
    for (let i = 0; i < free.length; i++) {
      const held = free[i] as Held;
      if (held.size < size || held.size * TIGHTNESS > size) continue;
      const chosen = free[best];
      if (!chosen || held.size < chosen.size) best = i;
      else if (held.size === chosen.size && held.order < chosen.order) best = i;
    }
    return best < 0 ? undefined : free.splice(best, 1)[0];
  }

  #create(size: number): Held {
    const parameters = this.#options.parameterBytes();
    const activations = Math.max(this.#highestInUse, this.#inUseBytes + size - parameters);
    const allowed = parameters + activations * SLACK + FLOOR;
    this.#trim(this.#reserved + size - allowed);
    const buffer = this.#device.createBuffer({ size, usage: USAGE_STORAGE_COPY });
    this.#reserved += size;
    return { buffer, size, order: this.#made++ };
  }

  /** Destroys free buffers until `excess` bytes are gone. */
  #trim(excess: number): void {
    const doomed: GPUBuffer[] = [];
    let bytes = 0;
    while (bytes < excess && this.#free.length > 0) {
      const { buffer, size } = this.#free.shift() as Held;
      doomed.push(buffer);
      bytes += size;
    }
    if (doomed.length === 0) return;
    this.#options.beforeDestroy(doomed);
    for (const buffer of doomed) buffer.destroy();
    this.#reserved -= bytes;
  }
}
