import { UserError } from '../../errors.ts';
import { formatBytes } from '../../ir/bytes.ts';
import { printShape } from '../../ir/dims.ts';
import type { Graph } from '../../ir/node.ts';
import { placeLoops, sketchLoops } from '../loops/place-loops.ts';
import type { Choice } from '../loops/region.ts';
import { bytesOf } from '../memory/estimate.ts';
import { analyse, fits, type State } from '../memory/state.ts';
import { overBudget } from '../over-budget.ts';
import { type Chosen, copyValues, mergeCopies, type Recomputing, worthCopying } from '../passes/recompute.ts';
import { GraphSearch, type Searched } from './graph-search.ts';
import { withoutNeedless } from './needless.ts';
import type { PartialPlan } from './partial-plans.ts';
import type { Selection, SelectionOptions, Stuck } from './selection.ts';

export interface SelectOptions extends SelectionOptions {
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
  const { choices, state } = new GraphSearch(graph, options).run((search) => {
    const { found } = budget === undefined ? {} : search.cheapest(budget);
    return found ?? search.cheapestAs(search.leastPeak(), budget);
  });
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
  const searches = new Searches(options);
  const found =
    (budget === undefined ? undefined : within(searches, graph, budget)) ??
    lowest(searches, graph, (search, least) => search.cheapestAs(least, budget));
  const { peak, oversized } = found.state;
  const limit = Math.max(peak, budget ?? 0);
  const isWithin = ({ graph, choices }: Chosen): boolean =>
    fits(analyse(sketchLoops(graph, choices), cap), limit);
  const merged = mergeCopies(found, found, isWithin);
  const chosen = oversized.length === 0 ? withoutNeedless(merged, isWithin) : merged;
  if (fits(found.state, budget ?? peak)) return chosen;
  const uncut = oversized.flatMap((at) => found.state.index.graph.nodes[at]?.id ?? []);
  throw overBudget(placeLoops(chosen.graph, chosen.choices), budget ?? peak, cap, uncut);
}

/**
 * The smallest peak that the search reaches, in bytes, without making the plan for it; Infinity where no plan keeps
 * every storage within the cap.
 *
 * @throws UserError for an input over the cap.
 */
export function smallestPeak(graph: Graph, options: SelectOptions): number {
  checkInputs(graph, options);
  const { state } = lowest(new Searches(options), graph, (_, least) => least);
  return state.oversized.length === 0 ? state.peak : Number.POSITIVE_INFINITY;
}

/** Loops, and the graph that they were found in. */
type Found = Searched & Recomputing;

/** How often more values may be computed again. */
const ROUNDS = 3;
/** A plan that is this close to a budget, or closer, may reach it with smaller chunks and more loops. */
const CLOSE = 17 / 16;

/**
 * The cheapest plan within a budget; where there is none, with copies of what is alive where the search gets stuck. Where a narrow
 * search without copies gets stuck already, copies come first.
 */
function within(searches: Searches, graph: Graph, budget: number): Found | undefined {
  const plain: Recomputing = { graph, copies: new Map() };
  let narrow: Stuck | undefined;
  searches.of(graph).run((search) => {
    narrow = search.stuck(budget);
    return undefined;
  });
  if (narrow) return withCopies(searches, plain, budget, narrow) ?? cheapest(searches, plain, budget).found;
  const { found, stuck } = cheapest(searches, plain, budget);
  return found ?? withCopies(searches, plain, budget, stuck);
}

/** The cheapest plan within a budget, and where the search got stuck; a search that did so before is gone on with. */
function cheapest(
  searches: Searches,
  of: Recomputing,
  budget: number,
  after?: Stuck,
): { readonly found: Found | undefined; readonly stuck: Stuck } {
  let stuck: Stuck | undefined;
  const found = searches.of(of.graph).run((search) => {
    const cheapest = search.cheapest(budget, after);
    stuck = cheapest.stuck;
    return cheapest.found;
  });
  return { found: found && { ...of, ...found }, stuck: stuck as Stuck };
}

/** The same with copies of what is alive where a search without them got stuck, and the next ones do. */
function withCopies(searches: Searches, plain: Recomputing, budget: number, after: Stuck): Found | undefined {
  let current = plain;
  let stuck = after;
  for (let round = 0; round < ROUNDS; round++) {
    const more = searches.copied(current.graph, stuck.plan.state);
    if (!more) break;
    current = { graph: more.graph, copies: new Map([...current.copies, ...more.copies]) };
    const next = cheapest(searches, current, budget, stuck);
    if (next.found) return next.found;
    stuck = next.stuck;
  }
  // Without copies nothing more is known than the search for the smallest peak finds out.
  if (current === plain) return undefined;
  const found = searches.of(current.graph).run((search) => {
    const least = search.leastPeakBelow(Math.ceil(budget * CLOSE));
    return fits(least.state, budget) ? search.cheapestAs(least, budget) : undefined;
  });
  return found && { ...current, ...found };
}

/** The plan that is made of one with the smallest peak, with copies where they lead lower. */
function lowest(
  searches: Searches,
  graph: Graph,
  make: (search: Selection, least: PartialPlan) => PartialPlan,
): Found {
  const plain = searches.of(graph);
  let least: State | undefined;
  const first = plain.run((search) => {
    const plan = search.leastPeak();
    least = plan.state;
    return plan;
  });
  const more = least && searches.copied(graph, least);
  if (more) {
    const again = searches.of(more.graph);
    const { peak } = first.state;
    if (isLower(again.run((search) => search.leastPeakBelow(peak)).state, first.state))
      return { ...more, ...again.run((search) => make(search, search.leastPeakBelow(peak))) };
  }
  return { graph, copies: new Map(), ...plain.run((search) => make(search, search.leastPeak())) };
}

const isLower = (a: State, b: State): boolean =>
  a.oversized.length < b.oversized.length || (a.oversized.length === b.oversized.length && a.peak < b.peak);

/** The searches of one selection: what is known of a graph serves all that is asked about it. */
class Searches {
  readonly #options: SelectionOptions;
  readonly #searches = new Map<Graph, GraphSearch>();
  readonly #copied = new Map<Graph, Map<string, Recomputing>>();

  constructor(options: SelectionOptions) {
    this.#options = options;
  }

  of(graph: Graph): GraphSearch {
    const known = this.#searches.get(graph) ?? new GraphSearch(graph, this.#options);
    this.#searches.set(graph, known);
    return known;
  }

  /** The graph with copies of what is worth them in a state; undefined where nothing is. */
  copied(graph: Graph, state: State): Recomputing | undefined {
    const kinds = worthCopying(graph, state);
    if (kinds.size === 0) return undefined;
    const known = this.#copied.get(graph) ?? new Map<string, Recomputing>();
    this.#copied.set(graph, known);
    const key = JSON.stringify([...kinds]);
    const copied = known.get(key) ?? copyValues(graph, kinds);
    known.set(key, copied);
    return copied;
  }
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
