import type { Block } from './pack.ts';

/** A moment: the bytes in use right before it, and how many blocks begin before it. */
interface Moment {
  readonly at: number;
  readonly inUse: number;
  readonly begun: number;
}

/**
 * Cuts the time that blocks live in where the fewest bytes are in use, at all such moments at once, until at most `most`
 * blocks begin in every part: equal layers are cut at equal moments.
 *
 * @returns the moments at which parts begin, but for the first, ascending
 */
export function timeCuts(blocks: readonly Block[], most: number): number[] {
  const moments = momentsOf(blocks);
  const cuts: number[] = [];
  const inUse = (i: number): number => (moments[i] as Moment).inUse;
  const begun = (i: number): number => moments[i]?.begun ?? blocks.length;
  const cut = (first: number, last: number): void => {
    if (begun(last) - begun(first) <= most) return;
    let fewest = Number.POSITIVE_INFINITY;
    for (let i = first + 1; i < last; i++) fewest = Math.min(fewest, inUse(i));
    let start = first;
    for (let i = first + 1; i < last; i++) {
      if (inUse(i) !== fewest) continue;
      cut(start, i);
      cuts.push((moments[i] as Moment).at);
      start = i;
    }
    if (start > first) cut(start, last);
  };
  cut(0, moments.length);
  return cuts;
}

function momentsOf(blocks: readonly Block[]): Moment[] {
  const changes = new Map<number, { begins: number; taken: number; freed: number }>();
  const changeAt = (at: number) => {
    const change = changes.get(at) ?? { begins: 0, taken: 0, freed: 0 };
    changes.set(at, change);
    return change;
  };
  for (const { bytes, from, to } of blocks) {
    const start = changeAt(from);
    start.begins++;
    start.taken += bytes;
    changeAt(to).freed += bytes;
  }
  let [inUse, begun] = [0, 0];
  return [...changes]
    .sort(([a], [b]) => a - b)
    .map(([at, { begins, taken, freed }]) => {
      const moment = { at, inUse: inUse - freed, begun };
      inUse += taken - freed;
      begun += begins;
      return moment;
    });
}
