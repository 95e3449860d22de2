import type { Repeat } from '../graph/repeats.ts';
import type { Region } from '../loops/region.ts';
import type { State } from '../memory/state.ts';
import type { Candidate, Outlook } from './ranking.ts';

/** What a loop changes: the nodes from first to last run at this peak. */
interface Change {
  readonly first: number;
  readonly last: number;
  readonly peak: number;
}

/**
 * What is left of a state's memory when a candidate's loop is put into it, and into every repeat: nothing is lowered, the
 * evaluation of the one region answers for its repeats, and the nodes outside run at the peak they run at. Right but for
 * storages that live differently behind the loops, so it tells which plans are worth the exact answer.
 */
export function prospect(state: State, candidate: Candidate, repeats: readonly Repeat[]): Outlook {
  const changes = candidate.spot.inner
    ? insideLoops(state, candidate, repeats)
    : ofLoops(state, candidate, repeats);
  changes.sort((a, b) => a.first - b.first);
  let peak = 0;
  let atPeak = 0;
  const meet = (bytes: number): void => {
    if (bytes > peak) [peak, atPeak] = [bytes, 0];
    if (bytes === peak) atPeak++;
  };
  let position = 0;
  for (const change of changes) {
    for (; position < change.first; position++) meet(state.peaks[position] as number);
    meet(change.peak);
    position = Math.max(position, change.last + 1);
  }
  for (; position < state.peaks.length; position++) meet(state.peaks[position] as number);
  const isChanged = (at: number): boolean => changes.some(({ first, last }) => at >= first && at <= last);
  return { peak, atPeak, oversized: state.oversized.filter((at) => !isChanged(at)) };
}

function ofLoops(state: State, { spot, evaluation, peak }: Candidate, repeats: readonly Repeat[]): Change[] {
  const base = spot.state.before[evaluation.arrangement.first] as number;
  const most = Math.max(peak, evaluation.aroundBytes) - base;
  return repeats.flatMap(({ region }) => {
    const places = placesOf(state, region);
    return places ? { ...places, peak: most + (state.before[places.first] as number) } : [];
  });
}

/** A loop inside the loops of a family changes the peak of all of them. */
function insideLoops(
  state: State,
  { spot, evaluation, peak }: Candidate,
  repeats: readonly Repeat[],
): Change[] {
  const { arrangement, aroundBytes } = evaluation;
  let most = Math.max(peak, aroundBytes, spot.inner?.besides ?? 0);
  spot.state.peaks.forEach((bytes, position) => {
    if (position < arrangement.first || position > arrangement.last) most = Math.max(most, bytes);
  });
  const base = state.before[state.peakAt] as number;
  return repeats.flatMap(({ region }) => {
    const places = placesOf(state, region);
    return places ? { ...places, peak: most - base + (state.before[places.first] as number) } : [];
  });
}

/** Positions of the first and the last node that compute values of a region, or loops over some of them. */
function placesOf({ index }: State, { cuts }: Region): { first: number; last: number } | undefined {
  let first = Number.POSITIVE_INFINITY;
  let last = -1;
  for (const id of cuts.keys()) {
    const at = index.definedAt.get(id);
    if (at === undefined) continue;
    first = Math.min(first, at);
    last = Math.max(last, at);
  }
  return last < 0 ? undefined : { first, last };
}
