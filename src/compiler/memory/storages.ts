import { invariant } from '../../errors.ts';
import type { TensorType, ValueId } from '../../ir/node.ts';
import { elementCount, isContiguous, type Layout } from '../../layout/layout.ts';
import type { Place, Places } from './place.ts';
import type { Reads } from './reads.ts';

/**
 * Where the values of a block lie, which storages it must free, and how often each is still to be read: what decides where a
 * result may be written.
 */
export class Storages {
  /** Storages that the block must free, in order of allocation. */
  readonly owned: Set<ValueId>;
  /** Storages of what the loop around carries: a value may be written over the one before, once that is read. */
  readonly carried = new Set<ValueId>();
  readonly #outer: Places;
  readonly #places = new Map<ValueId, Place>();
  readonly #reads: Reads | undefined;
  /** How often values seen in a storage are still to be read. */
  readonly #pending = new Map<ValueId, number>();

  /** `owned`: storages from outside that die in the block. Without `reads` nothing is written in place. */
  constructor(outer: Places, owned: Iterable<ValueId>, reads: Reads | undefined) {
    this.#outer = outer;
    this.owned = new Set(owned);
    this.#reads = reads;
    for (const id of reads?.times.keys() ?? []) {
      const place = reads?.defined.has(id) ? undefined : outer.get(id);
      if (place) this.#expect(id, place.storage);
    }
  }

  /** Of the values that the block defines. */
  get places(): Places {
    return this.#places;
  }

  /** Whether results may be written over operands. */
  get inPlace(): boolean {
    return this.#reads !== undefined;
  }

  place(value: ValueId): Place {
    const place = this.#places.get(value) ?? this.#outer.get(value);
    invariant(place !== undefined, () => `${value} has no storage`);
    return place;
  }

  /** How steps name a value. */
  nameOf(value: ValueId): ValueId {
    return this.place(value).name ?? value;
  }

  /** Gives a value a place. */
  put(value: ValueId, place: Place): void {
    this.#places.set(value, place);
    this.#expect(value, place.storage);
  }

  /** Gives a value a storage of its own, which the block must free. */
  allocate(value: ValueId, type: TensorType, layout: Layout): void {
    this.owned.add(value);
    this.put(value, { storage: value, layout, type });
  }

  /** A node reads a value. */
  read(value: ValueId): void {
    const { storage } = this.place(value);
    this.#pending.set(storage, (this.#pending.get(storage) ?? 0) - 1);
  }

  /** Is no value in a storage read any more? */
  isRead(storage: ValueId): boolean {
    return this.#pending.get(storage) === 0;
  }

  /** Does the block free a storage of which nothing reads any value after the node being added? */
  dies(storage: ValueId): boolean {
    return this.inPlace && this.owned.has(storage) && this.isRead(storage);
  }

  /** Does a layout show all of its storage, in order? */
  isWhole(storage: ValueId, layout: Layout): boolean {
    const { shape } = this.place(storage).layout;
    return layout.offset === 0 && isContiguous(layout) && elementCount(layout.shape) === elementCount(shape);
  }

  /** Counts what is still to be read of a value in its storage. */
  #expect(value: ValueId, storage: ValueId): void {
    this.#pending.set(storage, (this.#pending.get(storage) ?? 0) + (this.#reads?.times.get(value) ?? 0));
  }
}
