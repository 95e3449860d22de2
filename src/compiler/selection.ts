import type { Graph } from '../ir/node.ts';
import { type BeamOptions, BeamSearch } from './beam.ts';
import { type CandidateOptions, Candidates } from './candidates.ts';
import { type PartialPlan, PartialPlans } from './partial-plans.ts';
import { refine } from './refine.ts';
import type { Choice } from './region.ts';
import { fits } from './state.ts';

export interface SelectionOptions extends CandidateOptions, BeamOptions {}

/** The cheapest plan within a budget; where none is found, where the search got stuck. */
interface Cheapest {
  readonly found: PartialPlan | undefined;
  readonly stuck: PartialPlan;
}

/** The search for one graph. What is found once is remembered. */
export class Selection {
  readonly #plans: PartialPlans;
  readonly #beam: BeamSearch;
  readonly #cheapest = new Map<number, Cheapest>();
  readonly #below = new Map<number, PartialPlan>();
  #least: PartialPlan | undefined;

  constructor(graph: Graph, options: SelectionOptions) {
    this.#plans = new PartialPlans(graph, options.cap, options.weights);
    this.#beam = new BeamSearch(this.#plans, new Candidates(options), options);
  }

  cheapest(budget: number): Cheapest {
    const { empty } = this.#plans;
    if (fits(empty.state, budget)) return { found: empty, stuck: empty };
    let cheapest = this.#cheapest.get(budget);
    if (!cheapest) {
      const { found, stuck } = this.#beam.cheapest(budget);
      cheapest = { found: found && refine(this.#plans, found, budget), stuck };
      this.#cheapest.set(budget, cheapest);
    }
    return cheapest;
  }

  /** The cheapest plan within a budget, given one within it or above it: with the peak of that, then. */
  cheapestAs(least: PartialPlan, budget = 0): PartialPlan {
    const limit = Math.max(least.state.peak, budget);
    if (!fits(least.state, limit)) return least;
    const plan = refine(this.#plans, least, limit);
    const { found } = this.cheapest(limit);
    return found && found.cost < plan.cost ? found : plan;
  }

  /** The plan with the smallest peak that the search reaches. */
  leastPeak(): PartialPlan {
    this.#least ??= this.#beam.leastPeak();
    return this.#least;
  }

  /** The same, from the cheapest plan below a peak where there is one. */
  leastPeakBelow(peak: number): PartialPlan {
    let least = this.#below.get(peak);
    if (!least) {
      const { found } = this.#beam.cheapest(peak - 1);
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

const smallestChunks = (choice: Choice): Choice => {
  const small = { ...choice, chunkSize: 1 };
  return choice.inner ? { ...small, inner: choice.inner.map(smallestChunks) } : small;
};
