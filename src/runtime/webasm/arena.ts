import { UserError } from '../../errors.ts';

interface Block {
  at: number;
  size: number;
}

const ALIGNMENT = 64;

/**
 * Best-fit allocator over a growing range of bytes: a freed block merges with its free neighbours, the tightest free
 * block is taken, and the range grows only when none fits.
 */
export class Arena {
  readonly #start: number;
  readonly #limit: number;
  readonly #grow: (end: number) => void;
  /** Free blocks in order of address; never two that touch. */
  readonly #free: Block[] = [];
  readonly #sizes = new Map<number, number>();
  #end: number;

  /** Blocks lie in `start ≤ address < limit`; `grow` makes everything below `end` usable and may throw. */
  constructor(start: number, limit: number, grow: (end: number) => void) {
    this.#start = start;
    this.#end = start;
    this.#limit = limit;
    this.#grow = grow;
  }

  /** The most bytes that were ever in use at once, holes included. */
  get highWater(): number {
    return this.#end - this.#start;
  }

  /** The address of `bytes` free bytes. Throws UserError when the range cannot grow that far. */
  allocate(bytes: number): number {
    const size = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    const at = this.#take(size) ?? this.#extend(size);
    this.#sizes.set(at, size);
    return at;
  }

  release(at: number): void {
    const size = this.#sizes.get(at) as number;
    this.#sizes.delete(at);
    let i = this.#free.findIndex((block) => block.at > at);
    if (i < 0) i = this.#free.length;
    const before = this.#free[i - 1];
    const after = this.#free[i];
    const joinsBefore = before !== undefined && before.at + before.size === at;
    const joinsAfter = after !== undefined && at + size === after.at;
    if (joinsBefore && joinsAfter) {
      before.size += size + after.size;
      this.#free.splice(i, 1);
    } else if (joinsBefore) {
      before.size += size;
    } else if (joinsAfter) {
      after.at = at;
      after.size += size;
    } else {
      this.#free.splice(i, 0, { at, size });
    }
  }

  #take(size: number): number | undefined {
    let best = -1;
    for (let i = 0; i < this.#free.length; i++) {
      const candidate = (this.#free[i] as Block).size;
      if (candidate >= size && (best < 0 || candidate < (this.#free[best] as Block).size)) best = i;
    }
    if (best < 0) return undefined;
    const block = this.#free[best] as Block;
    const { at } = block;
    block.at += size;
    block.size -= size;
    if (block.size === 0) this.#free.splice(best, 1);
    return at;
  }

  /** Grows the range, using a free block at its end. */
  #extend(size: number): number {
    const last = this.#free.at(-1);
    const at = last && last.at + last.size === this.#end ? last.at : this.#end;
    const end = at + size;
    if (end > this.#limit) {
      throw new UserError(
        `alloc: ${size} more bytes do not fit: the WebAssembly memory holds at most ${this.#limit} bytes and ` +
          `${at} are taken. Use a smaller budget, or backend webgpu.`,
      );
    }
    this.#grow(end);
    if (at !== this.#end) this.#free.pop();
    this.#end = end;
    return at;
  }
}
