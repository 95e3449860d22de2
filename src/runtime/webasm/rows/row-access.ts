import type { Code, Int, Local, Value } from '../assembler/code.ts';
import { i32, v128 } from '../assembler/instructions.ts';

/** Elements of a vector. */
export const LANES = [0, 1, 2, 3] as const;
export const FLOAT_BYTES = 4;
export const VECTOR_BYTES = LANES.length * FLOAT_BYTES;

/** Where a row lies: its address in bytes, the step between elements in elements, the number of elements. */
export interface Place {
  readonly at: Local<'i32'>;
  readonly step: Local<'i32'>;
  readonly length: Local<'i32'>;
}

/** Elements of a row, four at a time; places in the row are bytes from its start as if its elements lay next to each other. */
export interface RowAccess {
  /** Four elements, `vectors` times four behind a place. */
  load(place: Local<'i32'>, vectors?: number): Value<'v128'>;
  /** As many elements as there are from a place on, fewer than four; other lanes hold anything. */
  loadTail(place: Local<'i32'>): Value<'v128'>;
  store(place: Local<'i32'>, what: Local<'v128'>): Code;
  /** Stores one lane of the four that belong to a place. */
  storeLane(place: Local<'i32'>, what: Local<'v128'>, lane: (typeof LANES)[number]): Code;
}

/** A row whose elements lie next to each other. Memory may be read up to a vector behind its end. */
export function denseRow({ at }: Place): RowAccess {
  const load: RowAccess['load'] = (place, vectors = 0) =>
    v128.load(i32.add(at, place), vectors * VECTOR_BYTES);
  return {
    load,
    loadTail: load,
    store: (place, what) => v128.store(i32.add(at, place), what),
    storeLane: (place, what, lane) => v128.storeLane(i32.add(at, place), what, lane, lane * FLOAT_BYTES),
  };
}

/** A row whose elements are a step apart. */
export function steppedRow({ at, step, length }: Place): RowAccess {
  const address = (place: Int): Value<'i32'> => i32.add(at, i32.mul(place, step));
  const gather = (placeOf: (lane: number) => Int): Value<'v128'> =>
    ([1, 2, 3] as const).reduce(
      (lanes, lane) => v128.loadLane(address(placeOf(lane)), lanes, lane),
      v128.loadSplat(address(placeOf(0))),
    );
  const storeLane: RowAccess['storeLane'] = (place, what, lane) =>
    v128.storeLane(address(i32.add(place, lane * FLOAT_BYTES)), what, lane);
  return {
    load: (place, vectors = 0) =>
      gather((lane) => i32.add(place, vectors * VECTOR_BYTES + lane * FLOAT_BYTES)),
    loadTail: (place) => {
      const last = i32.mul(i32.sub(length, 1), FLOAT_BYTES);
      return gather((lane) => i32.min(i32.add(place, lane * FLOAT_BYTES), last));
    },
    store: (place, what) => LANES.map((lane) => storeLane(place, what, lane)),
    storeLane,
  };
}
