import type { LoopNode, ValueId } from '../ir/node.ts';
import { type Sizes, simulate } from './estimate.ts';
import { lastUse } from './graph-index.ts';
import { Block } from './lower.ts';
import { numbered } from './names.ts';
import { type Arrangement, arrange, type Region, sketchLoop } from './region.ts';
import { dyingIn, type State } from './state.ts';

/**
 * What a loop over a region costs in memory, as a function of its chunk size: only the steps of the region are
 * simulated, on top of the bytes that are alive around it. Everything a loop body allocates grows linearly with the
 * chunk size, so one simulation answers for all of them.
 */
export interface Evaluation {
  readonly region: Region;
  readonly arrangement: Arrangement;
  /** Live bytes around the body: what is alive anyway, what the loop reads and the whole of its results. */
  readonly fixedBytes: number;
  /** Most live bytes of the body per unit of chunk size. */
  readonly bytesPerUnit: number;
  /** The largest storage of the body per unit of chunk size. */
  readonly storagePerUnit: number;
  /** Peak of the nodes moved before and after the loop. */
  readonly aroundBytes: number;
  /** The loop, at the chunk size that was simulated. */
  readonly loop: LoopNode;
  /** The values its kernels compute in one iteration; the rest of the body is views. */
  readonly calls: readonly ValueId[];
}

export function evaluate(state: State, region: Region): Evaluation | undefined {
  const { index, around } = state;
  const arrangement = arrange(index, region);
  if (!arrangement) return undefined;
  const { first, last, before, inside, after } = arrangement;
  const size = region.extent > 2 ? 2 : 1;
  const loop = sketchLoop(index, { region, chunkSize: size }, inside);
  const order = [...before, loop, ...after];
  const dying = dyingIn(state, first, last);
  const block = new Block({ ...around, fresh: numbered() }, state.places, dying);
  for (const node of order) block.add(node);
  const kept = new Set<ValueId>();
  for (const value of block.places.keys()) {
    if (index.definedAt.has(value) && lastUse(state.lifetimes, value) > last) kept.add(value);
  }
  block.free(kept);
  const sizes: Sizes = new Map();
  for (const storage of dying) sizes.set(storage, state.sizes.get(storage) as number);
  let live = state.before[first] as number;
  let aroundBytes = live;
  let fixedBytes = 0;
  let inBody = 0;
  let largest = 0;
  const calls: ValueId[] = [];
  block.groups.forEach((steps, position) => {
    if (order[position] !== loop) {
      live = simulate(steps, live, sizes, {}, (_, now) => void (aroundBytes = Math.max(aroundBytes, now)));
      return;
    }
    fixedBytes = live;
    live = simulate(steps, live, sizes, {}, (step, now, loops) => {
      if (loops.length === 0) {
        fixedBytes = Math.max(fixedBytes, now);
        return;
      }
      inBody = Math.max(inBody, now - fixedBytes);
      if (step.kind === 'alloc') largest = Math.max(largest, sizes.get(step.value) as number);
      if (step.kind === 'call') calls.push(step.node.id);
    });
  });
  return {
    region,
    arrangement,
    loop,
    calls,
    fixedBytes,
    bytesPerUnit: inBody / size,
    storagePerUnit: largest / size,
    aroundBytes,
  };
}

/** Peak of the loop itself at a chunk size. */
export const loopPeak = (
  { fixedBytes, bytesPerUnit }: Pick<Evaluation, 'fixedBytes' | 'bytesPerUnit'>,
  chunkSize: number,
): number => fixedBytes + bytesPerUnit * chunkSize;

/**
 * The largest chunk size that keeps the loop within the budget and its storages within the cap, evened out so that the
 * last chunk is about as long as the others; 0 when there is none.
 */
export function largestChunk(
  evaluation: Pick<Evaluation, 'region' | 'fixedBytes' | 'bytesPerUnit' | 'storagePerUnit'>,
  budget: number,
  cap: number,
): number {
  const { extent } = evaluation.region;
  const room = (bytes: number, each: number): number =>
    bytes < 0 ? 0 : each === 0 ? extent : Math.floor(bytes / each);
  const size = Math.min(
    room(budget - evaluation.fixedBytes, evaluation.bytesPerUnit),
    room(cap, evaluation.storagePerUnit),
    Math.ceil(extent / 2),
  );
  return size < 1 ? 0 : evenChunk(extent, size);
}

/** The smallest size with as few chunks as `size` gives. */
export const evenChunk = (extent: number, size: number): number =>
  Math.ceil(extent / Math.ceil(extent / size));
