const USAGE_QUERY_RESOLVE_COPY_SRC = 0x0200 | 0x04;
const USAGE_MAP_READ_COPY_DST = 0x01 | 0x08;
const MAP_READ = 0x1;
const BYTES = 8;

/** A dispatch with the times at which the GPU began and ended it, in milliseconds of `performance.now()`. */
export type OnKernel = (name: string, from: number, to: number, shape: readonly number[]) => void;

interface Timed {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Times dispatches with timestamp queries: each is a pass of its own while this is on. */
export class Timestamps {
  readonly capacity: number;
  readonly #device: GPUDevice;
  readonly #onKernel: OnKernel;
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  #timed: Timed[] = [];
  readonly #reading: Promise<void>[] = [];
  /** From the GPU's clock to that of the process: the first dispatch begins when it is submitted. */
  #offset: number | undefined;

  /** `capacity`: most dispatches of one submission. */
  constructor(device: GPUDevice, capacity: number, onKernel: OnKernel) {
    this.#device = device;
    this.#onKernel = onKernel;
    this.capacity = capacity;
    this.#queries = device.createQuerySet({ type: 'timestamp', count: 2 * capacity });
    this.#resolved = device.createBuffer({ size: 2 * capacity * BYTES, usage: USAGE_QUERY_RESOLVE_COPY_SRC });
  }

  /** Of the pass of the next dispatch. */
  next(name: string, shape: readonly number[]): GPUComputePassTimestampWrites {
    const index = 2 * this.#timed.length;
    this.#timed.push({ name, shape });
    return { querySet: this.#queries, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 };
  }

  /** Ends the commands of a submission; the result is to be called once they are submitted. */
  finish(encoder: GPUCommandEncoder): () => void {
    const timed = this.#timed;
    this.#timed = [];
    const size = 2 * timed.length * BYTES;
    const staging = this.#device.createBuffer({ size, usage: USAGE_MAP_READ_COPY_DST });
    encoder.resolveQuerySet(this.#queries, 0, 2 * timed.length, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, staging, 0, size);
    const submitted = performance.now();
    return () => {
      this.#reading.push(
        staging.mapAsync(MAP_READ).then(() => {
          const nanoseconds = new BigUint64Array(staging.getMappedRange());
          this.#report(timed, nanoseconds, submitted);
          staging.destroy();
        }),
      );
    };
  }

  /** Resolves when the times of all submissions are known. */
  async stop(): Promise<void> {
    await Promise.all(this.#reading);
    this.#queries.destroy();
    this.#resolved.destroy();
  }

  #report(timed: readonly Timed[], nanoseconds: BigUint64Array, submitted: number): void {
    const ms = (index: number): number => Number(nanoseconds[index] as bigint) / 1e6;
    this.#offset ??= submitted - ms(0);
    timed.forEach(({ name, shape }, i) => {
      const offset = this.#offset as number;
      this.#onKernel(name, ms(2 * i) + offset, ms(2 * i + 1) + offset, shape);
    });
  }
}
