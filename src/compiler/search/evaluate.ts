import type { LoopNode, ValueId } from '../../ir/node.ts';
import { evenChunk } from '../../layout/chunks.ts';
import { lastUse } from '../graph/graph-index.ts';
import { numbered } from '../graph/names.ts';
import { sketchLoop } from '../loops/place-loops.ts';
import { type Arrangement, arrange, isProportional, type Region } from '../loops/region.ts';
import { Block } from '../memory/block.ts';
import { type Sizes, simulate } from '../memory/estimate.ts';
import { readsIn } from '../memory/reads.ts';
import { dyingIn, type State } from '../memory/state.ts';

/** Bytes as a function of the chunk size. */
export interface Growth {
  readonly fixed: number;
  readonly perUnit: number;
}

/**
 * What a loop over a region costs in memory, as a function of its chunk size: only the steps of the region are
 * simulated, on top of the bytes that are alive around it. Every storage that a loop body allocates has a constant part and
 * one that grows linearly with the chunk size, so that two simulations answer for all sizes; one does where nothing is constant.
 */
export interface Evaluation {
  readonly region: Region;
  readonly arrangement: Arrangement;
  /** Live bytes around the body: what is alive anyway, what the loop reads and the whole of its results. */
  readonly fixedBytes: number;
  /** Live bytes of the body at its steps: the most of them count. */
  readonly body: readonly Growth[];
  /** The storages of the body: the largest counts. */
  readonly storages: readonly Growth[];
  /** Peak of the nodes moved before and after the loop. */
  readonly aroundBytes: number;
  /** The loop, at the chunk size that was simulated. */
  readonly loop: LoopNode;
  /** The values its kernels compute in one iteration; the rest of the body is views. */
  readonly calls: readonly ValueId[];
}

export function evaluate(state: State, region: Region): Evaluation | undefined {
  const arrangement = arrange(state.index, region);
  if (!arrangement) return undefined;
  const { extent } = region;
  const size = extent > 2 ? 2 : 1;
  const one = simulateAt(state, region, arrangement, size);
  const { loop, calls, fixedBytes, aroundBytes } = one;
  // A loop of at most two units has one chunk size: what is constant in it cannot be told apart.
  const other =
    isProportional(region) || extent <= 2
      ? undefined
      : simulateAt(state, region, arrangement, extent > 3 ? 3 : 1);
  const growth = (bytes: readonly number[], others: readonly number[] | undefined): Growth[] =>
    // Where chunks are so small that a reshape needs no copy there are other steps: the size of most chunks counts.
    other === undefined || others?.length !== bytes.length
      ? [{ fixed: 0, perUnit: Math.max(0, ...bytes) / size }]
      : upperEnvelope(bytes.map((at, i) => line(size, at, other.size, others[i] as number)));
  return {
    region,
    arrangement,
    loop,
    calls,
    fixedBytes,
    body: growth(one.body, other?.body),
    storages: growth(one.storages, other?.storages),
    aroundBytes,
  };
}

const line = (size: number, bytes: number, otherSize: number, otherBytes: number): Growth => {
  const perUnit = (otherBytes - bytes) / (otherSize - size);
  return { fixed: bytes - perUnit * size, perUnit };
};

/** The lines that are highest somewhere right of 1. */
function upperEnvelope(lines: readonly Growth[]): Growth[] {
  const steepest = [...lines].sort((a, b) => b.perUnit - a.perUnit || b.fixed - a.fixed);
  const kept: Growth[] = [];
  for (const one of steepest) {
    const highest = Math.max(Number.NEGATIVE_INFINITY, ...kept.map(({ fixed, perUnit }) => fixed + perUnit));
    if (one.fixed + one.perUnit > highest) kept.push(one);
  }
  return kept;
}

interface Simulation extends Pick<Evaluation, 'loop' | 'calls' | 'fixedBytes' | 'aroundBytes'> {
  readonly size: number;
  /** Live bytes at every step of the body, on top of those around it. */
  readonly body: readonly number[];
  /** Every storage that the body allocates. */
  readonly storages: readonly number[];
}

function simulateAt(state: State, region: Region, arrangement: Arrangement, size: number): Simulation {
  const { index, around } = state;
  const { first, last, before, inside, after } = arrangement;
  const { loop, finish } = sketchLoop(index, { region, chunkSize: size }, inside);
  const order = [...before, loop, ...finish, ...after];
  const dying = dyingIn(state, first, last);
  const isKept = (value: ValueId): boolean => lastUse(state.lifetimes, value) > last;
  const block = new Block({ ...around, fresh: numbered() }, state.places, {
    owned: dying,
    reads: readsIn(order, isKept),
  });
  for (const node of order) block.add(node);
  const kept = new Set<ValueId>();
  for (const value of block.places.keys()) {
    if (index.definedAt.has(value) && isKept(value)) kept.add(value);
  }
  block.free(kept);
  const sizes: Sizes = new Map();
  for (const storage of dying) sizes.set(storage, state.sizes.get(storage) as number);
  let live = state.before[first] as number;
  let aroundBytes = live;
  let fixedBytes = 0;
  const body: number[] = [];
  const storages: number[] = [];
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
      body.push(now - fixedBytes);
      if (step.kind === 'alloc') storages.push(sizes.get(step.value) as number);
      if (step.kind === 'call') calls.push(step.node.id);
    });
  });
  return { size, loop, calls, fixedBytes, aroundBytes, body, storages };
}

/** Peak of the loop itself at a chunk size. */
export const loopPeak = (
  { fixedBytes, body }: Pick<Evaluation, 'fixedBytes' | 'body'>,
  chunkSize: number,
): number => fixedBytes + Math.max(0, ...body.map(({ fixed, perUnit }) => fixed + perUnit * chunkSize));

/**
 * The largest chunk size that keeps the loop within the budget and its storages within the cap, evened out so that the
 * last chunk is about as long as the others; 0 when there is none.
 */
export function largestChunk(
  {
    region: { extent },
    fixedBytes,
    body,
    storages,
  }: Pick<Evaluation, 'region' | 'fixedBytes' | 'body' | 'storages'>,
  budget: number,
  cap: number,
): number {
  const room = (bytes: number, grown: readonly Growth[]): number[] =>
    grown.map(({ fixed, perUnit }) =>
      bytes < fixed ? 0 : perUnit <= 0 ? extent : Math.floor((bytes - fixed) / perUnit),
    );
  const left = budget - fixedBytes;
  const size = Math.min(
    left < 0 ? 0 : extent,
    ...room(left, body),
    ...room(cap, storages),
    Math.ceil(extent / 2),
  );
  return size < 1 ? 0 : evenChunk(extent, size);
}
