import { definedBy, type ValueId } from '../ir/node.ts';
import { type Candidates, TRIED, WINDOW } from './candidates.ts';
import { loopPeak } from './evaluate.ts';
import { keyOf } from './family.ts';
import type { PartialPlan, PartialPlans } from './partial-plans.ts';
import { prospect } from './prospect.ts';
import { compareStates, distinct, lowerThan, type Outlook } from './ranking.ts';
import type { Region } from './region.ts';
import { fits } from './state.ts';

export interface BeamOptions {
  /** How many partial plans are kept. */
  readonly beam?: number;
  /** How far around the peak loops stand in the way of a better one, in nodes. */
  readonly window?: number;
  readonly signal?: AbortSignal | undefined;
}

const BEAM = 4;
/** Every step of a plan covers all repeats of a region, so that plans are short even for deep models. */
const MAX_STEPS = 24;

/** A dynamic programme over partial plans that keeps the few best of every length. */
export class BeamSearch {
  readonly #plans: PartialPlans;
  readonly #candidates: Candidates;
  readonly #options: BeamOptions;

  constructor(plans: PartialPlans, candidates: Candidates, options: BeamOptions) {
    this.#plans = plans;
    this.#candidates = candidates;
    this.#options = options;
  }

  /** Beam search by cost. Every step brings the node at the peak within the budget. */
  cheapest(budget: number): PartialPlan | undefined {
    let beam = [this.#plans.empty];
    let best: PartialPlan | undefined;
    const width = this.#options.beam ?? BEAM;
    for (let step = 0; step < MAX_STEPS && beam.length > 0; step++) {
      const next = new Map<string, { child: PartialPlan; from: PartialPlan }>();
      for (const from of beam) {
        this.#options.signal?.throwIfAborted();
        for (const candidate of this.#candidates.within(from, budget)) {
          const { child } = this.#plans.extend(from, candidate, budget);
          next.set(keyOf(child.families), { child, from });
        }
      }
      beam = [];
      // Costs are known before the memory is: what costs more than enough plans that go on is not looked at.
      for (const { child, from } of [...next.values()].sort((a, b) => a.child.cost - b.child.cost)) {
        if (beam.length === 2 * width || (best && child.cost >= best.cost)) break;
        if (fits(child.state, budget)) best = child;
        else if (child.state.peak <= from.state.peak) beam.push(child);
      }
      beam = beam.slice(0, width);
      this.#plans.forget(beam);
    }
    return best;
  }

  /** Beam search by peak, with the smallest chunks. */
  leastPeak(): PartialPlan {
    let beam = [this.#plans.empty];
    let best = this.#plans.empty;
    const width = this.#options.beam ?? BEAM;
    for (let step = 0; step < MAX_STEPS && beam.length > 0; step++) {
      beam = this.#lower(beam, width)
        .sort((a, b) => compareStates(a.state, b.state) || a.cost - b.cost)
        .slice(0, width);
      this.#plans.forget(beam);
      if (beam[0] && lowerThan(beam[0].state, best.state)) best = beam[0];
    }
    return best;
  }

  /** Plans with one loop more that are lower than those they come from; the most promising ones are looked at first. */
  #lower(beam: readonly PartialPlan[], width: number): PartialPlan[] {
    const next = beam.flatMap((from) => this.#next(from));
    next.sort((a, b) => compareStates(a.expected, b.expected) || a.child.cost - b.child.cost);
    const lower = new Map<string, PartialPlan>();
    const goesOn = new Set<PartialPlan>();
    for (const { from, child, expected } of next) {
      const promises = lowerThan(expected, from.state);
      if (promises && lower.size >= width) goesOn.add(from);
      if (goesOn.has(from) && (!promises || lower.size >= width)) continue;
      if (!lowerThan(child.state, from.state)) continue;
      goesOn.add(from);
      lower.set(keyOf(child.families), child);
    }
    for (const from of beam.filter((one) => !goesOn.has(one))) {
      for (const child of this.#repaired(from, width)) lower.set(keyOf(child.families), child);
    }
    return [...lower.values()];
  }

  /** Plans with one loop more, and what their memory is expected to be. */
  #next(from: PartialPlan): { from: PartialPlan; child: PartialPlan; expected: Outlook }[] {
    this.#options.signal?.throwIfAborted();
    return this.#candidates.lowering(from).map((candidate) => {
      const { child, family } = this.#plans.extend(from, candidate, candidate.peak);
      return { from, child, expected: prospect(from.state, candidate, family.repeats) };
    });
  }

  /**
   * Lower plans than one that no further loop lowers: loops near its peak stand in the way of a better one, and are left
   * out for it.
   */
  #repaired(partial: PartialPlan, width: number): PartialPlan[] {
    const { state, families } = partial;
    const { window = WINDOW } = this.#options;
    const node = state.index.graph.nodes[state.peakAt];
    const peak = node && definedBy(node)[0];
    if (families.length === 0 || state.oversized.length > 0 || !peak) return [];
    const { definedAt } = this.#plans.empty.state.index;
    const isNear = (id: ValueId): boolean =>
      Math.abs((definedAt.get(id) as number) - (definedAt.get(peak.id) as number)) <= window;
    const near = families.flatMap(({ repeats }) => repeats.filter(({ region }) => isAny(region, isNear)));
    const next: { child: PartialPlan; expected: Outlook }[] = [];
    for (const dropped of [...near.map((repeat) => [repeat]), ...(near.length > 1 ? [near] : [])]) {
      const fewer = this.#plans.without(families, (repeat) => dropped.includes(repeat));
      const free = new Set(dropped.flatMap(({ region }) => [...region.cuts.keys()]));
      const at = fewer.state.index.definedAt.get(peak.id) as number;
      const spot = { state: fewer.state, at, kind: 'peak' } as const;
      const candidates = this.#candidates
        .promising(spot, state.peak - 1)
        .filter(
          (evaluation) =>
            isAny(evaluation.region, (id) => free.has(id)) &&
            Math.max(loopPeak(evaluation, 1), evaluation.aroundBytes - 1) < state.peak,
        )
        .map((evaluation) => this.#candidates.at(spot, evaluation, 1))
        .sort((a, b) => a.peak - b.peak || a.cost - b.cost);
      for (const candidate of distinct(candidates, TRIED)) {
        const repeats = this.#plans.repeats(candidate.evaluation.region);
        const values = new Set(repeats.flatMap(({ region }) => [...region.cuts.keys()]));
        const others = this.#plans.without(families, ({ region }) => isAny(region, (id) => values.has(id)));
        const { child, family } = this.#plans.extend(others, candidate, candidate.peak);
        const expected = prospect(others.state, candidate, family.repeats);
        if (lowerThan(expected, state)) next.push({ child, expected });
      }
    }
    next.sort((a, b) => compareStates(a.expected, b.expected) || a.child.cost - b.child.cost);
    const lower = new Set<PartialPlan>();
    for (const { child } of next) {
      if (lower.size === width) break;
      if (lowerThan(child.state, state)) lower.add(child);
    }
    return [...lower];
  }
}

const isAny = ({ cuts }: Region, is: (id: ValueId) => boolean): boolean => [...cuts.keys()].some(is);
