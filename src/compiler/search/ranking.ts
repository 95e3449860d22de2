import { describeCut, type NodeCut } from '../../ir/flow.ts';
import type { OpNode } from '../../ir/node.ts';
import type { Region } from '../loops/region.ts';
import type { State } from '../memory/state.ts';
import { type Evaluation, loopPeak } from './evaluate.ts';
import type { Outline } from './outline.ts';
import type { Spot } from './spot.ts';

/** A way to lower the peak of a partial plan. */
export interface Candidate {
  readonly spot: Spot;
  readonly evaluation: Evaluation;
  readonly chunkSize: number;
  readonly cost: number;
  readonly peak: number;
}

/** How many regions of each kind are evaluated exactly, and how many of them may run the same kernels. */
const PROMISING = 24;
const VIEWS = 3;

/** What is left of a region's memory when its chunks are as small as possible. */
export const outcome = (evaluation: Evaluation): number =>
  Math.max(evaluation.aroundBytes, loopPeak(evaluation, 1));

/** The first regions of a ranking, not too many with the same kernels. */
export function ranked(
  outlines: readonly Outline[],
  by: (one: Outline) => readonly [number, number],
): Region[] {
  const ranking = outlines.map((one) => ({ one, rank: by(one) }));
  ranking.sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1]);
  const taken = new Map<string, number>();
  const few: Region[] = [];
  for (const { one } of ranking) {
    const alike = taken.get(one.key) ?? 0;
    if (alike === VIEWS) continue;
    taken.set(one.key, alike + 1);
    few.push(one.region);
    if (few.length === PROMISING) break;
  }
  return few;
}

/** The first `count` candidates whose loops run different kernels. */
export function distinct(candidates: readonly Candidate[], count: number): Candidate[] {
  const seen = new Set<string>();
  const chosen: Candidate[] = [];
  for (const candidate of candidates) {
    const { arrangement, region } = candidate.evaluation;
    const last = arrangement.inside.at(-1) as OpNode;
    const cut = describeCut(region.cuts.get(last.id) as NodeCut);
    const calls = candidate.evaluation.calls.map((id) => id.split(' ')[0]).join(' ');
    const key = `${calls} ${region.extent} ${cut} ${candidate.chunkSize}`;
    if (seen.has(key)) continue;
    seen.add(key);
    chosen.push(candidate);
    if (chosen.length === count) break;
  }
  return chosen;
}

/** The author's regions come first, then the author's dimensions; without either all candidates are equal. */
export function preferred(candidates: Candidate[]): Candidate[] {
  const inRegion = candidates.filter(({ evaluation: { arrangement } }) => {
    const region = arrangement.inside[0]?.hints?.region;
    return region !== undefined && arrangement.inside.every((node) => node.hints?.region === region);
  });
  const among = inRegion.length > 0 ? inRegion : candidates;
  const along = among.filter(({ evaluation: { arrangement, loop } }) =>
    arrangement.inside.some((node) => node.hints?.preferChunk === loop.over),
  );
  return along.length > 0 ? along : among;
}

/** How two plans for a graph compare: storages over the cap, the peak, how many nodes run at it. */
export type Outlook = Pick<State, 'oversized' | 'peak' | 'atPeak'>;
export const compareStates = (a: Outlook, b: Outlook): number =>
  a.oversized.length - b.oversized.length || a.peak - b.peak || a.atPeak - b.atPeak;
export const lowerThan = (a: Outlook, b: Outlook): boolean => compareStates(a, b) < 0;
