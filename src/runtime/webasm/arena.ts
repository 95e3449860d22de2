import { invariant, UserError } from '../../errors.ts';

interface Block {
  at: number;
  size: number;
}

/** A range of addresses that one run places its blocks in. */
export interface Region extends Readonly<Block> {
  /** Sizes of the blocks in use, by address. */
  readonly used: Map<number, number>;
}

const ALIGNMENT = 64;

const aligned = (bytes: number): number => Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);

/**
 * Best-fit allocator over a growing range of bytes: a freed block merges with its free neighbours, the tightest free
 * block is taken, and the range grows only when none fits. Within a region blocks lie where their owner says.
 */
export class Arena {
  readonly #start: number;
  readonly #limit: number;
  readonly #grow: (end: number) => void;
  /** Free blocks in order of address; never two that touch. */
  readonly #free: Block[] = [];
  readonly #sizes = new Map<number, number>();
  readonly #regions = new Set<Region>();
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
    const size = aligned(bytes);
    const at = this.#take(size) ?? this.#extend(size);
    this.#sizes.set(at, size);
    return at;
  }

  /**
   * A region of `bytes`. The blocks at `taken` become part of it: its first ones, where they lie one after another and the
   * memory behind them is free.
   */
  reserve(bytes: number, taken: readonly number[] = []): Region {
    const size = aligned(bytes);
    const at = this.#around(taken, size) ?? this.#take(size) ?? this.#extend(size);
    const region: Region = { at, size, used: new Map() };
    for (const block of taken) {
      const blockSize = this.#sizes.get(block) as number;
      if (block >= at && block + blockSize <= at + size) region.used.set(block, blockSize);
    }
    this.#regions.add(region);
    return region;
  }

  /** The address of `bytes` bytes at an offset of a region. Throws InternalError when they are not free. */
  place(region: Region, offset: number, bytes: number): number {
    const size = aligned(bytes);
    const at = region.at + offset;
    invariant(
      offset >= 0 && offset + size <= region.size,
      () => `bytes ${offset} to ${offset + size} are not in an arena of ${region.size}`,
    );
    for (const [other, otherSize] of region.used) {
      invariant(
        at + size <= other || other + otherSize <= at,
        () => `bytes ${offset} to ${offset + size} of the arena are in use`,
      );
    }
    region.used.set(at, size);
    this.#sizes.set(at, size);
    return at;
  }

  /** Frees what a region does not use; its blocks in use become blocks like others. */
  close(region: Region): void {
    this.#regions.delete(region);
    let free = region.at;
    for (const [at, size] of [...region.used].sort(([a], [b]) => a - b)) {
      if (at > free) this.#giveBack(free, at - free);
      free = at + size;
    }
    const end = region.at + region.size;
    if (end > free) this.#giveBack(free, end - free);
  }

  release(at: number): void {
    const size = this.#sizes.get(at) as number;
    this.#sizes.delete(at);
    for (const region of this.#regions) if (region.used.delete(at)) return;
    this.#giveBack(at, size);
  }

  /** The start of a region that begins with given blocks; undefined where they or the bytes behind them do not allow it. */
  #around(blocks: readonly number[], size: number): number | undefined {
    const [start] = blocks;
    if (start === undefined) return undefined;
    let end = start;
    for (const block of blocks) {
      if (block !== end) return undefined;
      end += this.#sizes.get(block) as number;
    }
    const missing = start + size - end;
    if (missing <= 0) return missing === 0 ? start : undefined;
    const behind = this.#free.find(({ at }) => at === end);
    if (behind && behind.size >= missing) {
      behind.at += missing;
      behind.size -= missing;
      if (behind.size === 0) this.#free.splice(this.#free.indexOf(behind), 1);
      return start;
    }
    if (end + (behind?.size ?? 0) !== this.#end) return undefined;
    this.#extend(missing);
    return start;
  }

  #giveBack(at: number, size: number): void {
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
