import { UserError } from '../errors.ts';
import { formatBytes } from '../ir/bytes.ts';
import { printShape } from '../ir/dims.ts';
import type { Graph, ValueId } from '../ir/node.ts';
import { type BeamOptions, BeamSearch } from './beam.ts';
import { type CandidateOptions, Candidates } from './candidates.ts';
import { bytesOf } from './estimate.ts';
import { choicesOf } from './family.ts';
import { shortenLayers } from './layers.ts';
import { overBudget } from './over-budget.ts';
import { type PartialPlan, PartialPlans } from './partial-plans.ts';
import { type Chosen, mergeCopies, type Recomputing, recompute } from './recompute.ts';
import { refine } from './refine.ts';
import { type Choice, placeLoops, sketchLoops } from './region.ts';
import { analyse, fits, type State } from './state.ts';

export interface SelectOptions extends CandidateOptions, BeamOptions {
  /** Bytes, or undefined for the smallest peak the search can reach. */
  readonly budget: number | undefined;
}

/**
 * Chooses the loops: least Σ L(loop) with the peak within the budget and every storage within the cap.
 *
 * @throws BudgetError naming the smallest reachable peak and what holds it there.
 */
export function select(graph: Graph, options: SelectOptions): Choice[] {
  checkInputs(graph, options);
  const { budget, cap } = options;
  const { choices, state } = searched(graph, options, (search) =>
    budget === undefined ? search.cheapestAs(search.leastPeak()) : search.within(budget),
  );
  if (fits(state, budget ?? state.peak)) return choices;
  const uncut = state.oversized.flatMap((at) => state.index.graph.nodes[at]?.id ?? []);
  throw overBudget(placeLoops(graph, choices), budget ?? state.peak, cap, uncut);
}

/**
 * Like {@link select}; where no plan meets the budget, and for the smallest peak, cheap values may be computed once more
 * for each of their readers: the graph with them comes with the loops.
 */
export function selectRecomputing(graph: Graph, options: SelectOptions): Chosen {
  checkInputs(graph, options);
  const { budget, cap } = options;
  const within = budget === undefined ? undefined : recomputing(graph, options, (one) => one.within(budget));
  if (budget !== undefined && within && fits(within.state, budget)) {
    return withFewCopies(within, budget, cap);
  }
  const least = smallest(graph, options);
  const { peak, oversized } = least.state;
  const chosen = withFewCopies(least, peak, cap);
  if (fits(least.state, budget ?? peak)) return chosen;
  const uncut = oversized.flatMap((at) => least.state.index.graph.nodes[at]?.id ?? []);
  throw overBudget(placeLoops(chosen.graph, chosen.choices), budget ?? peak, cap, uncut);
}

/** Without the copies that a plan does not need to stay within a budget. */
const withFewCopies = (found: Found, budget: number, cap: number): Chosen =>
  mergeCopies(found, found, ({ graph, choices }) => fits(analyse(sketchLoops(graph, choices), cap), budget));

/** The cheapest plan with the smallest peak, with copies where they make it smaller. */
function smallest(graph: Graph, options: SelectOptions): Found {
  let least: State | undefined;
  const found = searched(graph, options, (search) => {
    const lowest = search.leastPeak();
    least = lowest.state;
    return search.cheapestAs(lowest);
  });
  const more = least && recompute(graph, least);
  const other =
    more &&
    searched(more.graph, options, (search) => search.cheapestAs(search.leastPeakBelow(found.state.peak)));
  return more && other && isLower(other.state, found.state)
    ? { ...more, ...other }
    : { graph, copies: new Map(), ...found };
}

const isLower = (a: State, b: State): boolean =>
  a.oversized.length < b.oversized.length || (a.oversized.length === b.oversized.length && a.peak < b.peak);

/** How often more values may be computed again. */
const ROUNDS = 3;

/** Loops, and the graph that they were found in. */
type Found = ReturnType<typeof searched> & Recomputing;

/** What a search finds, in a graph with copies of values where that leads lower. */
function recomputing(
  graph: Graph,
  options: SelectOptions,
  search: (selection: Selection) => PartialPlan,
): Found {
  let best = { graph, copies: new Map<ValueId, ValueId>(), ...searched(graph, options, search) };
  for (let round = 0; round < ROUNDS; round++) {
    if (options.budget !== undefined && fits(best.state, options.budget)) break;
    const more = recompute(best.graph, best.state);
    if (!more) break;
    const found = searched(more.graph, options, search);
    if (!isLower(found.state, best.state)) break;
    best = { graph: more.graph, copies: new Map([...best.copies, ...more.copies]), ...found };
  }
  return best;
}

/**
 * The smallest peak that the search reaches, in bytes, without making the plan for it; Infinity where no plan keeps
 * every storage within the cap.
 *
 * @throws UserError for an input over the cap.
 */
export function smallestPeak(graph: Graph, options: SelectOptions): number {
  checkInputs(graph, options);
  const { state } = recomputing(graph, options, (search) => search.leastPeak());
  return state.oversized.length === 0 ? state.peak : Number.POSITIVE_INFINITY;
}

/**
 * What a search finds: in a few layers of a model of many equal ones, where that is as good as in all of them.
 */
function searched(
  graph: Graph,
  options: SelectOptions,
  search: (selection: Selection) => PartialPlan,
): { choices: Choice[]; state: State } {
  const short = shortenLayers(graph);
  if (short) {
    const found = search(new Selection(short.graph, options));
    const choices = short.expand(choicesOf(found.families));
    const state = choices && analyse(sketchLoops(graph, choices), options.cap);
    const { peak, oversized } = found.state;
    if (state && state.peak <= peak && (state.oversized.length === 0) === (oversized.length === 0))
      return { choices, state };
  }
  const { families, state } = search(new Selection(graph, options));
  return { choices: choicesOf(families), state };
}

function checkInputs(graph: Graph, options: SelectOptions): void {
  for (const { id, shape } of graph.inputs) {
    const bytes = bytesOf(shape, {});
    if (bytes > options.cap) {
      throw new UserError(
        `${graph.name}: input ${id} ${printShape(shape)} takes ${formatBytes(bytes)}, more than the cap of ${formatBytes(options.cap)} on a single storage; use smaller dimensions`,
      );
    }
  }
}

/** The search for one graph. */
class Selection {
  readonly #plans: PartialPlans;
  readonly #beam: BeamSearch;

  constructor(graph: Graph, options: SelectOptions) {
    this.#plans = new PartialPlans(graph, options.cap, options.weights);
    this.#beam = new BeamSearch(this.#plans, new Candidates(options), options);
  }

  /** The cheapest plan within a budget, or the one with the smallest peak where none is. */
  within(budget: number): PartialPlan {
    if (fits(this.#plans.empty.state, budget)) return this.#plans.empty;
    const found = this.#beam.cheapest(budget);
    if (found) return refine(this.#plans, found, budget);
    const least = this.leastPeak();
    return fits(least.state, budget) ? refine(this.#plans, least, budget) : least;
  }

  /** The cheapest plan with the peak of another, which nothing lower is known than. */
  cheapestAs(least: PartialPlan): PartialPlan {
    const budget = least.state.peak;
    if (!fits(least.state, budget)) return least;
    const plan = refine(this.#plans, least, budget);
    const cheap = this.#beam.cheapest(budget);
    const other = cheap && refine(this.#plans, cheap, budget);
    return other && other.cost < plan.cost ? other : plan;
  }

  /** The plan with the smallest peak that the search reaches. */
  leastPeak(): PartialPlan {
    return this.#beam.leastPeak();
  }

  /** The same, from the cheapest plan below a peak where there is one. */
  leastPeakBelow(peak: number): PartialPlan {
    const found = this.#beam.cheapest(peak - 1);
    if (!found) return this.leastPeak();
    const small = found.families.map((family) =>
      this.#plans.remodelled(family, withSmallestChunks(family.model)),
    );
    return this.#beam.leastPeak(this.#plans.of(small));
  }
}

const withSmallestChunks = (choice: Choice): Choice => {
  const small = { ...choice, chunkSize: 1 };
  return choice.inner ? { ...small, inner: choice.inner.map(withSmallestChunks) } : small;
};
