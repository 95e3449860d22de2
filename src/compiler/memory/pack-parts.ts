import { ALIGNMENT, type Block, GOOD_ENOUGH, mostInUse, type Packing, pack } from './pack.ts';
import { timeCuts } from './time-cuts.ts';

/** Most blocks that are placed at once where time can be cut. */
const MOST = 160;

/**
 * Places blocks like {@link pack}, those of many equal layers a part of the time after another. Blocks that live on from one
 * part to the next are placed first, those of each part around them. Equal parts are placed once: the same work finds better
 * places in little than in much. Where it does not, everything is placed at once.
 *
 * @param fixed blocks that have their place
 */
export function packInParts(blocks: readonly Block[], fixed: readonly Block[]): Packing {
  const all = [...blocks, ...fixed];
  const cuts = blocks.length > MOST ? timeCuts(all, MOST) : [];
  if (cuts.length === 0) return pack(blocks, fixed);
  const least = mostInUse(all);
  const packing = inParts(blocks, fixed, cuts, least);
  if (packing.bytes <= least * GOOD_ENOUGH) return packing;
  const atOnce = pack(blocks, fixed);
  return packing.bytes < atOnce.bytes ? packing : atOnce;
}

function inParts(
  blocks: readonly Block[],
  fixed: readonly Block[],
  cuts: readonly number[],
  least: number,
): Packing {
  const partOf = (time: number): number => notAbove(cuts, time);
  const livesOn = ({ from, to }: Block): boolean => partOf(from) !== partOf(to - 1);
  const positions = blocks.map((_, i) => i);
  const lasting = positions.filter((i) => livesOn(blocks[i] as Block));
  const offsets: number[] = [];
  const placed = [...fixed];
  let bytes = 0;
  const put = (i: number, at: number): void => {
    const block = blocks[i] as Block;
    offsets[i] = at;
    bytes = Math.max(bytes, at + block.bytes);
  };
  for (const i of lasting.sort((a, b) => (blocks[a] as Block).from - (blocks[b] as Block).from)) {
    const at = atAnEnd(blocks[i] as Block, placed, least * GOOD_ENOUGH);
    put(i, at);
    placed.push({ ...(blocks[i] as Block), at });
  }
  const inside = [...cuts, 0].map((): number[] => []);
  for (const i of positions) if (offsets[i] === undefined) inside[partOf((blocks[i] as Block).from)]?.push(i);
  const known = new Map<string, Packing>();
  for (const [part, own] of inside.entries()) {
    const [start, stop] = [cuts[part - 1] ?? -1, cuts[part] ?? Number.MAX_SAFE_INTEGER];
    const seen = ({ bytes, from, to, at }: Block): Block => ({
      bytes,
      from: Math.max(from, start) - start,
      to: Math.min(to, stop) - start,
      ...(at === undefined ? {} : { at }),
    });
    const mine = own.map((i) => seen(blocks[i] as Block));
    const others = placed.filter(({ from, to }) => from < stop && to > start).map(seen);
    const key = JSON.stringify([mine, others]);
    const packed = known.get(key) ?? pack(mine, others, least);
    known.set(key, packed);
    own.forEach((i, k) => void put(i, packed.offsets[k] as number));
  }
  return { bytes, offsets };
}

/**
 * The lowest place for a block; the highest below a ceiling where the lowest is on top of a block that is gone before it is. So
 * blocks that follow each other alternate between bottom and top, and what is free is in one piece.
 */
function atAnEnd(block: Block, placed: readonly Block[], ceiling: number): number {
  const { bytes, from, to } = block;
  const near = placed
    .filter((other) => other.from < to && from < other.to)
    .map(({ at = 0, ...other }) => ({ at, end: at + other.bytes, to: other.to }))
    .sort((a, b) => a.at - b.at);
  let free = { at: 0, below: Number.POSITIVE_INFINITY };
  let low: typeof free | undefined;
  let high = -1;
  for (const { at, end, to } of near) {
    if (at - free.at >= bytes) {
      low ??= free;
      if (at <= ceiling) high = at - bytes;
    }
    if (end > free.at) free = { at: end, below: to };
  }
  low ??= free;
  if (ceiling - free.at >= bytes) high = Math.floor((ceiling - bytes) / ALIGNMENT) * ALIGNMENT;
  return low.below < to && high > low.at ? high : low.at;
}

/** How many of ascending numbers are not above a value. */
function notAbove(ascending: readonly number[], value: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
