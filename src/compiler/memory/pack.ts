/** Blocks begin at multiples of this many bytes: a cache line, and whole SIMD vectors. */
export const ALIGNMENT = 64;

/** Bytes that are in use from one moment to another; `at` where their place is given. */
export interface Block {
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
  readonly at?: number;
}

export interface Packing {
  /** Where everything ends. */
  readonly bytes: number;
  /** By block. */
  readonly offsets: readonly number[];
}

/** Placements tried, at most; fewer where there is much to place. */
const MOST_TRIES = 3000;
const LEAST_TRIES = 2;
const MOST_WORK = 4_000_000;
/** Times the least that all need, which a placement is kept for. */
export const GOOD_ENOUGH = 1.01;
/** Placements without gain after which an order is given up. */
const PATIENCE = 8;

/**
 * Places blocks so that those in use at the same time do not overlap and little is wasted (dynamic storage allocation,
 * which is NP-hard). Blocks are placed one after another, the largest, the lasting, the longest or the first first, each in the first gap
 * or in the tightest; then again with the blocks that stuck out placed before the others, and with blocks of the best order
 * moved about. The same blocks give the same places.
 *
 * @param fixed blocks that have their place
 * @param goal bytes below which nothing is gained
 */
export function pack(blocks: readonly Block[], fixed: readonly Block[], goal = 0): Packing {
  const all = [...blocks, ...fixed];
  const neighbours = overlaps(all);
  const least = Math.max(goal, mostInUse(all), ...fixed.map(({ at = 0, bytes }) => at + bytes));
  const enough = least * GOOD_ENOUGH;
  const pairs = neighbours.reduce((sum, list) => sum + list.length, blocks.length);
  const tries = Math.max(LEAST_TRIES, Math.min(MOST_TRIES, Math.floor(MOST_WORK / Math.max(1, pairs))));
  const last = all.reduce((time, { from }) => Math.max(time, from), 0) + 1;
  const by = (key: (block: Block) => number): number[] =>
    blocks.map((_, i) => i).sort((a, b) => key(blocks[b] as Block) - key(blocks[a] as Block) || a - b);
  const orders = [
    by(({ bytes }) => bytes),
    by(({ bytes, to }) => (to > last ? 2 ** 52 : 0) + bytes),
    by(({ bytes, from, to }) => bytes * (Math.min(to, last) - from)),
    by(({ from }) => -from),
  ];
  const starts = orders.flatMap((order) => [false, true].map((tightest) => ({ order, tightest })));
  let tried = 0;
  const attempt = (order: readonly number[], tightest: boolean): Attempt => {
    tried++;
    return { ...place(all, blocks.length, neighbours, order, tightest), order, tightest };
  };
  /** The blocks that stick out first. */
  const topFirst = ({ order, offsets, bytes }: Attempt): number[] => {
    const top = new Set(order.filter((i) => (offsets[i] as number) + (blocks[i] as Block).bytes === bytes));
    return [...order.filter((i) => top.has(i)), ...order.filter((i) => !top.has(i))];
  };
  let best: Attempt | undefined;
  for (const start of starts) {
    let current = attempt(start.order, start.tightest);
    let latest = current;
    for (let stuck = 0; current.bytes > enough && stuck < PATIENCE && tried < tries; ) {
      latest = attempt(topFirst({ ...current, order: latest.order }), start.tightest);
      stuck = latest.bytes < current.bytes ? 0 : stuck + 1;
      if (latest.bytes <= current.bytes) current = latest;
    }
    if (!best || current.bytes < best.bytes) best = current;
    if (best.bytes <= enough || tried >= tries) return best;
  }
  let found = best as Attempt;
  let excess = excessOf(found, blocks, least);
  const next = numbers();
  while (found.bytes > enough && tried < tries) {
    const order = [...found.order];
    const high = order.filter((i) => (found.offsets[i] as number) + (blocks[i] as Block).bytes > least);
    const near = (neighbours[high[next(high.length)] as number] as number[]).filter((i) => i < blocks.length);
    const chosen = [...high, ...near];
    for (let moves = 1 + next(3); moves > 0; moves--) {
      const moved = chosen[next(chosen.length)] as number;
      order.splice(order.indexOf(moved), 1);
      order.splice(next(order.length + 1), 0, moved);
    }
    const again = attempt(order, next(2) === 0);
    const excessAgain = excessOf(again, blocks, least);
    if (excessAgain > excess) continue;
    found = again;
    excess = excessAgain;
    if (again.bytes < (best as Attempt).bytes) best = again;
  }
  return best as Attempt;
}

/** Bytes of blocks above what is the least that all need. */
const excessOf = ({ offsets }: Packing, blocks: readonly Block[], least: number): number =>
  blocks.reduce((sum, { bytes }, i) => sum + Math.max(0, (offsets[i] as number) + bytes - least), 0);

interface Attempt extends Packing {
  readonly order: readonly number[];
  readonly tightest: boolean;
}

/** Numbers below a bound that look random and are always the same (the minimal standard generator of Park and Miller). */
function numbers(): (below: number) => number {
  let state = 1;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

/** For every block those that are in use at some moment with it. */
function overlaps(blocks: readonly Block[]): number[][] {
  const lists = blocks.map((): number[] => []);
  const byStart = blocks
    .map((_, i) => i)
    .sort((a, b) => (blocks[a] as Block).from - (blocks[b] as Block).from);
  let inUse: number[] = [];
  for (const i of byStart) {
    const { from } = blocks[i] as Block;
    inUse = inUse.filter((other) => (blocks[other] as Block).to > from);
    for (const other of inUse) {
      lists[i]?.push(other);
      lists[other]?.push(i);
    }
    inUse.push(i);
  }
  return lists;
}

/** Most bytes that are in use at a moment: no packing takes less. */
export function mostInUse(blocks: readonly Block[]): number {
  const events = blocks.flatMap(({ bytes, from, to }) => [
    { at: from, change: bytes },
    { at: to, change: -bytes },
  ]);
  events.sort((a, b) => a.at - b.at || a.change - b.change);
  let live = 0;
  let most = 0;
  for (const { change } of events) {
    live += change;
    most = Math.max(most, live);
  }
  return most;
}

function place(
  blocks: readonly Block[],
  count: number,
  neighbours: readonly (readonly number[])[],
  order: readonly number[],
  tightest: boolean,
): Packing {
  const offsets = blocks.map(({ at }) => at ?? -1);
  let end = blocks.reduce((most, { bytes, at }) => Math.max(most, at === undefined ? 0 : at + bytes), 0);
  for (const i of order) {
    const { bytes } = blocks[i] as Block;
    const around = (neighbours[i] as readonly number[])
      .filter((other) => (offsets[other] as number) >= 0)
      .sort((a, b) => (offsets[a] as number) - (offsets[b] as number));
    let free = 0;
    let best = -1;
    let spare = Number.POSITIVE_INFINITY;
    for (const other of around) {
      const start = offsets[other] as number;
      if (start - free >= bytes && start - free - bytes < spare) {
        best = free;
        spare = start - free - bytes;
        if (!tightest) break;
      }
      free = Math.max(free, start + (blocks[other] as Block).bytes);
    }
    if (best < 0) best = free;
    offsets[i] = best;
    end = Math.max(end, best + bytes);
  }
  return { bytes: end, offsets: offsets.slice(0, count) };
}
