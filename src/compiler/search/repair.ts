import { resultOf, type ValueId } from '../../ir/node.ts';
import { baseOf } from '../graph/derived.ts';
import { lastUse } from '../graph/graph-index.ts';
import type { Repeat } from '../graph/repeats.ts';
import { areConvexTogether } from '../loops/convex.ts';
import type { Choice, Region } from '../loops/region.ts';
import { bytesOf } from '../memory/estimate.ts';
import type { Place } from '../memory/place.ts';
import { analyseBody, type State } from '../memory/state.ts';
import type { Candidates } from './candidates.ts';
import { loopPeak } from './evaluate.ts';
import { type Family, innerChoices, regionsOf, replaceInner } from './family.ts';
import type { PartialPlan, PartialPlans } from './partial-plans.ts';
import { prospect } from './prospect.ts';
import { type Candidate, compareStates, distinct, lowerThan, type Outlook } from './ranking.ts';
import { locate } from './spot.ts';
import { isWorthRounding } from './worth-rounding.ts';

export interface RepairOptions {
  /** How far around the peak loops stand in the way of a better one, in nodes. */
  readonly window: number;
  /** How many ways of every kind are tried. */
  readonly tried: number;
  /** How many lower plans are enough. */
  readonly enough: number;
  /** Whether loops are tried at all nodes, not only at the peak. */
  readonly everywhere: boolean;
}

/** Loops that are tried although they do not lower the peak. */
const TOGETHER = 4;
/** Nodes at the peak that are looked at besides the first. */
const ELSEWHERE = 3;

interface Next {
  readonly child: PartialPlan;
  readonly expected: Outlook;
}

/** Lower plans than one that no further loop at its peak lowers. */
export function repaired(
  plans: PartialPlans,
  candidates: Candidates,
  partial: PartialPlan,
  options: RepairOptions,
): PartialPlan[] {
  const { state } = partial;
  if (state.oversized.length > 0) return [];
  const next = [
    ...otherLoops(plans, candidates, partial, options),
    ...otherLoopsInside(plans, candidates, partial, options),
    ...shorterLives(plans, candidates, partial, options),
    ...elsewhere(plans, candidates, partial, options),
  ];
  const lower = lowest(partial, next, options);
  return lower.length > 0 ? lower : lowest(partial, together(plans, candidates, partial, options), options);
}

/** The first plans that are lower than a state; the most promising ones are looked at first. */
function lowest(partial: PartialPlan, next: Next[], { enough }: RepairOptions): PartialPlan[] {
  next.sort((a, b) => compareStates(a.expected, b.expected) || a.child.cost - b.child.cost);
  const lower = new Set<PartialPlan>();
  for (const { child } of next) {
    if (lower.size === enough) break;
    if (lowerThan(child.state, partial.state) && isWorthRounding(child, partial)) lower.add(child);
  }
  return [...lower];
}

/** Loops near the peak stand in the way of a better one, and are left out for it. */
function otherLoops(
  plans: PartialPlans,
  candidates: Candidates,
  { state, families }: PartialPlan,
  { window, tried }: RepairOptions,
): Next[] {
  const node = state.graph.nodes[state.peakAt];
  const { definedAt } = plans.empty.state.index;
  const peak = node && modelValue(node.kind === 'loop' ? resultOf(node) : node.id, definedAt);
  if (families.length === 0 || peak === undefined) return [];
  const isNear = (id: ValueId): boolean =>
    Math.abs((definedAt.get(id) as number) - (definedAt.get(peak) as number)) <= window;
  const near = families.flatMap(({ repeats }) => repeats.filter(({ region }) => isAny(region, isNear)));
  const next: Next[] = [];
  for (const dropped of [...near.map((repeat) => [repeat]), ...(near.length > 1 ? [near] : [])]) {
    const fewer = plans.without(families, (repeat) => dropped.includes(repeat));
    const at = fewer.state.index.definedAt.get(peak) as number;
    const spot = { state: fewer.state, at, kind: 'peak' } as const;
    const better = candidates
      .promising(spot, state.peak - 1)
      .filter((one) => Math.max(loopPeak(one, 1), one.aroundBytes - 1) < state.peak)
      .map((one) => candidates.smallest(spot, one))
      .sort((a, b) => a.peak - b.peak || a.cost - b.cost);
    for (const candidate of distinct(better, tried)) {
      const repeats = plans.repeats(candidate.evaluation.region);
      const values = new Set(repeats.flatMap(({ region }) => [...region.cuts.keys()]));
      const isInWay = ({ region }: Repeat): boolean => isAny(region, (id) => values.has(id));
      // What it need not take the place of comes back, unless the two wait for each other.
      const back = plans.without(families, isInWay);
      const regions = [...regionsOf(back.families), candidate.evaluation.region];
      const stand = areConvexTogether(plans.empty.state.index, regions);
      const one = extended(plans, stand ? back : plans.without(fewer.families, isInWay), candidate);
      if (lowerThan(one.expected, state)) next.push(one);
    }
  }
  return next;
}

/** The loops inside the loops at the peak stand in the way of better ones. */
function otherLoopsInside(
  plans: PartialPlans,
  candidates: Candidates,
  partial: PartialPlan,
  options: RepairOptions,
): Next[] {
  const { state, families } = partial;
  const { inner: place } = locate(state, families, 'peak', Number.POSITIVE_INFINITY);
  if (!place) return [];
  const { family, loop } = place;
  const around = options.everywhere ? loopsAround(family.model, loop) : [loop];
  return around.flatMap(fewerInside).flatMap(([loop, by]) => {
    const replaced: Family = plans.remodelled(family, replaceInner(family.model, loop, by));
    const from = plans.of(families.map((other) => (other === family ? replaced : other)));
    const atPeak = candidates.lowering(from).map((candidate) => extended(plans, from, candidate));
    return options.everywhere ? [...atPeak, ...elsewhere(plans, candidates, from, options)] : atPeak;
  });
}

/** A loop, and what it is without the loops inside it, or without one of them. */
function fewerInside(loop: Choice): [Choice, Choice][] {
  const { region, chunkSize, inner = [] } = loop;
  if (inner.length === 0) return [];
  const single = inner.length > 1 ? inner.map((one) => inner.filter((other) => other !== one)) : [];
  return [
    [loop, { region, chunkSize }],
    ...single.map((left): [Choice, Choice] => [loop, { ...loop, inner: left }]),
  ];
}

/** A loop and the loops around it, from the outermost. */
const loopsAround = (outermost: Choice, loop: Choice): Choice[] =>
  [outermost, ...innerChoices(outermost)].filter((one) => one === loop || innerChoices(one).includes(loop));

/** Loops at other nodes may move what holds the first one up: at some that run at the peak, or at all. */
function elsewhere(
  plans: PartialPlans,
  candidates: Candidates,
  partial: PartialPlan,
  { everywhere }: RepairOptions,
): Next[] {
  const { peaks, peak, peakAt } = partial.state;
  // A loop that begins behind the peak leaves it as it is.
  const others = [...peaks.keys()].filter((at) =>
    everywhere ? at < peakAt : at !== peakAt && peaks[at] === peak,
  );
  const paths = others.slice(everywhere ? 0 : -ELSEWHERE).map((at) => [at]);
  return [...paths, ...(everywhere ? insideBodies(partial.state) : [])]
    .flatMap((path) => candidates.lowering(partial, path))
    .map((candidate) => extended(plans, partial, candidate));
}

/** The ways to the nodes of the bodies that the peak lies in. */
function insideBodies(state: State, way: readonly number[] = []): (readonly number[])[] {
  const { index, peakAt } = state;
  if (index.graph.nodes[peakAt]?.kind !== 'loop') return [];
  const body = analyseBody(state, peakAt, Number.POSITIVE_INFINITY);
  const inside = [...way, peakAt];
  const ops = body.graph.nodes.flatMap(({ kind }, at) => (kind === 'op' ? [[...inside, at]] : []));
  return [...ops, ...insideBodies(body, inside)];
}

/** Two loops that help together: one that does not lower the peak by itself, and another or one inside it. */
function together(
  plans: PartialPlans,
  candidates: Candidates,
  partial: PartialPlan,
  { everywhere }: RepairOptions,
): Next[] {
  const { state, families } = partial;
  const before = [...state.peaks.keys()].slice(0, state.peakAt).map((at) => [at]);
  return [[], ...(everywhere ? [...before, ...insideBodies(state)] : [])].flatMap((path) => {
    const spot = locate(state, families, 'peak', Number.POSITIVE_INFINITY, path);
    const first = candidates
      .promising(spot, Number.POSITIVE_INFINITY)
      .map((one) => candidates.smallest(spot, one))
      .filter(
        ({ peak, evaluation }) => path.length > 0 || Math.max(peak, evaluation.aroundBytes) >= state.peak,
      )
      .sort((a, b) => a.peak - b.peak || a.cost - b.cost);
    return distinct(first, TOGETHER).flatMap((candidate) => {
      const { child } = extended(plans, partial, candidate);
      return candidates
        .lowering(child)
        .map((second) => extended(plans, child, second))
        .filter(({ expected }) => lowerThan(expected, state));
    });
  });
}

/**
 * Storages that are alive at the peak for a part of them only, which a loop that computes just the part would keep apart:
 * what it leaves is not known before it is there.
 */
function shorterLives(
  plans: PartialPlans,
  candidates: Candidates,
  partial: PartialPlan,
  { tried }: RepairOptions,
): Next[] {
  const { state } = partial;
  return partsAlive(state).flatMap((at) => {
    const spot = { state, at, kind: 'peak' } as const;
    const within = candidates
      .promising(spot, state.peak)
      .filter((one) => Math.max(loopPeak(one, 1), one.aroundBytes) <= state.peak)
      .map((one) => candidates.smallest(spot, one))
      .sort((a, b) => a.cost - b.cost);
    return distinct(within, tried).map((candidate) => extended(plans, partial, candidate));
  });
}

/** Positions of views that are all that is needed, from the peak on, of a larger storage. */
function partsAlive({ index, places, valuesIn, sizes, peakAt }: State): number[] {
  const found: number[] = [];
  for (const [storage, values] of valuesIn) {
    const needed = values.filter(
      (id) => (index.definedAt.get(id) ?? -1) < peakAt && lastUse(index, id) >= peakAt,
    );
    const bytes = needed.map((id) => bytesOf((places.get(id) as Place).layout.shape, {}));
    if (needed.length === 0 || Math.max(...bytes) >= (sizes.get(storage) ?? 0)) continue;
    for (const id of needed) {
      const at = index.definedAt.get(id);
      if (at !== undefined && index.graph.nodes[at]?.kind === 'op') found.push(at);
    }
  }
  return found;
}

/** A plan with a loop more, and what its memory is expected to be. */
export function extended(plans: PartialPlans, from: PartialPlan, candidate: Candidate): Next {
  const { child, family } = plans.extend(from, candidate, candidate.peak);
  return { child, expected: prospect(from.state, candidate, family.repeats) };
}

/** The value of the model that a value is, or is derived from. */
function modelValue(id: ValueId, definedAt: ReadonlyMap<ValueId, number>): ValueId | undefined {
  if (definedAt.has(id)) return id;
  const base = baseOf(id);
  return base === undefined ? undefined : modelValue(base, definedAt);
}

const isAny = ({ cuts }: Region, is: (id: ValueId) => boolean): boolean => [...cuts.keys()].some(is);
