import type { Graph } from '../../ir/node.ts';
import type { Choice } from '../loops/region.ts';
import { fits } from '../memory/state.ts';
import { type BeamOptions, BeamSearch, WAYS, type Way } from './beam.ts';
import { type CandidateOptions, Candidates } from './candidates.ts';
import { type PartialPlan, PartialPlans } from './partial-plans.ts';
import { refine } from './refine.ts';
import { trim } from './trim.ts';
import { isWorthRounding, splits } from './worth-rounding.ts';

export interface SelectionOptions extends CandidateOptions, BeamOptions {}

/** A plan with which a search got stuck, and the plan without loops of its graph. */
export interface Stuck {
  readonly plan: PartialPlan;
  readonly empty: PartialPlan;
}

/** The cheapest plan within a budget; where none is found, where the search got stuck. */
interface Cheapest {
  readonly found: PartialPlan | undefined;
  readonly stuck: Stuck;
}

/** Plans that are refined, of those that a search by cost finds in a small graph. */
const ENOUGH = 8;

/** The search for one graph. What is found once is remembered. */
export class Selection {
  readonly #plans: PartialPlans;
  readonly #beam: BeamSearch;
  readonly #cheapest = new Map<number, Cheapest>();
  readonly #below = new Map<number, PartialPlan>();
  #least: PartialPlan | undefined;

  constructor(graph: Graph, options: SelectionOptions) {
    this.#plans = new PartialPlans(graph, options.cap, options.weights);
    this.#beam = new BeamSearch(this.#plans, new Candidates(options, graph.nodes.length), options);
  }

  /**
   * Small graphs are searched in more ways. A search that got stuck in a graph that differs in a few nodes is gone on with:
   * `after` is where.
   */
  cheapest(budget: number, after?: Stuck): Cheapest {
    const { empty } = this.#plans;
    if (fits(empty.state, budget)) return { found: empty, stuck: { plan: empty, empty } };
    let cheapest = this.#cheapest.get(budget);
    if (!cheapest) {
      cheapest = this.#found(budget, this.#beam.isThorough ? WAYS : ['peak'], after);
      this.#cheapest.set(budget, cheapest);
    }
    return cheapest;
  }

  /** Where a narrow search of a graph that is not small gets stuck; undefined where it does not. */
  stuck(budget: number): Stuck | undefined {
    const { empty } = this.#plans;
    if (fits(empty.state, budget) || this.#beam.isThorough) return undefined;
    const { found, stuck } = this.#beam.cheapest(budget, { width: 1 });
    return found.length > 0 ? undefined : { plan: stuck, empty };
  }

  /** Where a search begins that goes on from another. */
  #from(after: Stuck | undefined): PartialPlan {
    const { empty } = this.#plans;
    return after && !this.#beam.isThorough ? this.#plans.adopted(after.plan, after.empty) : empty;
  }

  #found(budget: number, ways: readonly Way[], after?: Stuck): Cheapest {
    const enough = this.#beam.isThorough ? ENOUGH : 1;
    const from = this.#from(after);
    const searches = ways.map((way) => this.#beam.cheapest(budget, { way, enough, from }));
    const plans = searches.flatMap(({ found }) => found.map(({ families }) => this.#plans.of(families)));
    let best: PartialPlan | undefined;
    for (const plan of new Set(plans)) {
      const refined = this.#refined(plan, budget);
      if (!best || refined.cost < best.cost) best = refined;
    }
    const [{ stuck }] = searches as [(typeof searches)[number]];
    return { found: best, stuck: { plan: stuck, empty: this.#plans.empty } };
  }

  #refined(plan: PartialPlan, budget: number): PartialPlan {
    const refined = refine(this.#plans, plan, budget);
    if (!this.#beam.isThorough) return refined;
    const trimmed = trim(this.#plans, refined, budget);
    return trimmed === refined ? refined : refine(this.#plans, trimmed, budget);
  }

  /** The cheapest plan within a budget, given one within it or above it: with the peak of that, then. */
  cheapestAs(least: PartialPlan, budget = 0): PartialPlan {
    const limit = Math.max(least.state.peak, budget);
    if (!fits(least.state, limit)) return least;
    const plan = this.#refined(least, limit);
    const { found } = this.#cheapest.get(limit) ?? this.#found(limit, ['peak']);
    return found && found.cost < plan.cost ? found : plan;
  }

  /** The plan with the smallest peak that the search reaches. */
  leastPeak(): PartialPlan {
    this.#least ??= this.#lowered(this.#beam.leastPeak());
    return this.#least;
  }

  /** A plan of a small graph that is lower than one, where the search by cost finds any. */
  #lowered(least: PartialPlan): PartialPlan {
    if (!this.#beam.isThorough || least.state.oversized.length > 0) return least;
    for (const way of WAYS) {
      const { found } = this.#beam.cheapest(least.state.peak - 1, { way, enough: ENOUGH });
      for (const plan of found) {
        const lower = this.#beam.leastPeak(this.#withSmallestChunks(plan));
        if (isWorthRounding(lower, least)) return this.#lowered(lower);
      }
    }
    return least;
  }

  /** The same, from the cheapest plan below a peak where there is one. */
  leastPeakBelow(peak: number): PartialPlan {
    let least = this.#below.get(peak);
    if (!least) {
      const [found] = this.#beam.cheapest(peak - 1).found;
      least = found ? this.#beam.leastPeak(this.#withSmallestChunks(found)) : this.leastPeak();
      this.#below.set(peak, least);
    }
    return least;
  }

  #withSmallestChunks({ families }: PartialPlan): PartialPlan {
    const small = families.map((family) => this.#plans.remodelled(family, smallestChunks(family.model)));
    return this.#plans.of(small);
  }
}

/** Loops that split a reduction keep theirs: how many parts they may take is known where they are found. */
const smallestChunks = (choice: Choice): Choice => {
  const small = { ...choice, chunkSize: splits(choice) ? choice.chunkSize : 1 };
  return choice.inner ? { ...small, inner: choice.inner.map(smallestChunks) } : small;
};
