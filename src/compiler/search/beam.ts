import { fits } from '../memory/state.ts';
import { type Candidates, isSmall, WINDOW } from './candidates.ts';
import { axesOf, endsOf, keyOf } from './family.ts';
import { inOrder } from './in-order.ts';
import type { PartialPlan, PartialPlans } from './partial-plans.ts';
import { type Candidate, compareStates, lowerThan, type Outlook } from './ranking.ts';
import { extended, repaired } from './repair.ts';

export interface BeamOptions {
  /** How many partial plans are kept. */
  readonly beam?: number;
  /** How far around the peak loops stand in the way of a better one, in nodes. */
  readonly window?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The beam is the wider the smaller the graph is: for that many nodes altogether, within limits. */
const NODES = 320;
const NARROWEST = 4;
const WIDEST = 16;
/** Every step of a plan covers all repeats of a region, so that plans are short even for deep models. */
const MAX_STEPS = 24;

/**
 * Which loops a search by cost tries: those at the peak, also those that take loops inside, also at any other node; or at the
 * first node over the budget.
 */
export type Way = 'peak' | 'nested' | 'everywhere' | 'in order';
export const WAYS = ['peak', 'nested', 'everywhere', 'in order'] as const satisfies readonly Way[];

interface CheapestOptions {
  readonly way?: Way;
  readonly enough?: number;
  /** The plan to begin with; without loops unless said. */
  readonly from?: PartialPlan;
  /** How many plans of every length are kept; as many as the graph is worth unless said. */
  readonly width?: number;
}

/** A dynamic programme over partial plans that keeps the few best of every length. */
export class BeamSearch {
  readonly #plans: PartialPlans;
  readonly #candidates: Candidates;
  readonly #options: BeamOptions;
  readonly #width: number;

  constructor(plans: PartialPlans, candidates: Candidates, options: BeamOptions) {
    this.#plans = plans;
    this.#candidates = candidates;
    this.#options = options;
    const { nodes } = plans.empty.state.graph;
    const width = Math.round(NODES / Math.max(1, nodes.length));
    this.#width = options.beam ?? Math.min(WIDEST, Math.max(NARROWEST, width));
  }

  /** Small graphs are searched in more ways. */
  get isThorough(): boolean {
    return isSmall(this.#plans.empty.state.graph.nodes.length);
  }

  /**
   * Beam search by cost: the cheapest plans within the budget, as many as are `enough`. Every step brings the node at the
   * peak within it; in other ways, with loops that take others inside, or any node. Where no plan gets there, `stuck` is
   * the last one with a node that no loop brings within it.
   */
  cheapest(
    budget: number,
    { way = 'peak', enough = 1, from: start = this.#plans.empty, width: kept }: CheapestOptions = {},
  ): { readonly found: readonly PartialPlan[]; readonly stuck: PartialPlan } {
    if (way === 'in order') {
      const { signal } = this.#options;
      const found = inOrder(this.#plans, this.#candidates, budget, {
        width: this.#width >> 1,
        enough,
        signal,
      });
      return { found, stuck: start };
    }
    let beam = [start];
    let stuck = start;
    let found: PartialPlan[] = [];
    const width = kept ?? (way === 'peak' ? this.#width : this.#width >> 1);
    for (let step = 0; step < MAX_STEPS && beam.length > 0; step++) {
      stuck = beam[0] as PartialPlan;
      const next = new Map<string, { child: PartialPlan; from: PartialPlan }>();
      for (const from of beam) {
        this.#options.signal?.throwIfAborted();
        for (const candidate of this.#along(way, from, budget)) {
          const { child } = this.#plans.extend(from, candidate, budget);
          next.set(keyOf(child.families), { child, from });
        }
      }
      beam = [];
      // Costs are known before the memory is: what costs more than enough plans that go on is not looked at.
      for (const { child, from } of [...next.values()].sort((a, b) => a.child.cost - b.child.cost)) {
        const dearest = found.length < enough ? undefined : found.at(-1);
        // In deep graphs a plan that fits is seldom among those that do not go on.
        const most = way === 'nested' ? Number.POSITIVE_INFINITY : this.isThorough ? 2 * width : width;
        if (beam.length === most || (dearest && child.cost >= dearest.cost)) break;
        if (fits(child.state, budget))
          found = [...found, child].sort((a, b) => a.cost - b.cost).slice(0, enough);
        else if (way === 'nested' || child.state.peak <= from.state.peak) beam.push(child);
      }
      beam = way === 'nested' ? this.#few(beam, width, endsOf) : beam.slice(0, width);
      this.#plans.forget(beam);
    }
    return { found, stuck };
  }

  #along(way: Way, from: PartialPlan, budget: number): Candidate[] {
    const candidates = this.#candidates.within(from, budget);
    if (way === 'nested') candidates.push(...this.#candidates.unfinished(from, budget));
    if (way === 'everywhere') {
      // A loop that begins behind the peak leaves it as it is.
      for (let at = 0; at < from.state.peakAt; at++)
        candidates.push(...this.#candidates.within(from, budget, [at]));
    }
    return candidates;
  }

  /** Beam search by peak, with the smallest chunks. */
  leastPeak(from = this.#plans.empty): PartialPlan {
    let beam = [from];
    let best = from;
    for (let step = 0; step < MAX_STEPS && beam.length > 0; step++) {
      const lower = this.#lower(beam, this.#width);
      lower.sort((a, b) => compareStates(a.state, b.state) || a.cost - b.cost);
      beam = this.#few(lower, this.#width, axesOf);
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
    const repair = {
      window: this.#options.window ?? WINDOW,
      tried: this.#candidates.tried,
      enough: width,
      everywhere: this.isThorough,
    };
    for (const from of beam.filter((one) => !goesOn.has(one))) {
      for (const child of repaired(this.#plans, this.#candidates, from, repair))
        lower.set(keyOf(child.families), child);
    }
    return [...lower.values()];
  }

  /** Plans with one loop more, and what their memory is expected to be. */
  #next(from: PartialPlan): { from: PartialPlan; child: PartialPlan; expected: Outlook }[] {
    this.#options.signal?.throwIfAborted();
    return this.#candidates
      .lowering(from)
      .map((candidate) => ({ from, ...extended(this.#plans, from, candidate) }));
  }

  /** Half of the beam are the best, the others the best of another kind. */
  #few(
    plans: readonly PartialPlan[],
    width: number,
    kindOf: (families: PartialPlan['families']) => string,
  ): PartialPlan[] {
    const best = plans.slice(0, Math.ceil(width / 2));
    const seen = new Set(best.map(({ families }) => kindOf(families)));
    const others = plans.slice(best.length).filter(({ families }) => {
      const kind = kindOf(families);
      return !seen.has(kind) && seen.add(kind);
    });
    const few = new Set([...best, ...others].slice(0, width));
    for (const plan of plans) if (few.size < width) few.add(plan);
    return plans.filter((plan) => few.has(plan));
  }
}
