import type { Weights } from '../compiler/cost/cost-model.ts';
import { renameValue } from '../compiler/graph/derived.ts';
import { sketchLoops } from '../compiler/loops/place-loops.ts';
import { arrange, type Choice, computes, type Region, renameChoice } from '../compiler/loops/region.ts';
import { analyse, analyseBody, type State } from '../compiler/memory/state.ts';
import { choiceCost } from '../compiler/search/choice-cost.ts';
import { type Graph, type LoopNode, resultOf, type ValueId } from '../ir/node.ts';
import { evenChunk } from '../layout/chunks.ts';
import { everyRegion } from './every-region.ts';

const NO_CAP = Number.POSITIVE_INFINITY;

/** What a plan comes to. */
export interface Outcome {
  /** Bytes. */
  readonly peak: number;
  /** L of all loops. */
  readonly cost: number;
}

/** The best plan there is. */
export interface Optimum extends Outcome {
  /** Its loops; undefined where no plan is better than the one that was known. */
  readonly choices: readonly Choice[] | undefined;
  /** Plans looked at. */
  readonly plans: number;
  /** False when there were more plans than may be looked at: a better one may exist. */
  readonly isProven: boolean;
}

export interface OptimumOptions {
  readonly weights: Weights;
  /** Bytes that the peak must stay within; without, the plan with the smallest peak is looked for. */
  readonly budget?: number | undefined;
  /** Whether loops may cut what an op adds up; false unless said. */
  readonly splitReductions?: boolean;
  /** Plans looked at before giving up. */
  readonly most: number;
}

/**
 * The best plan for a small graph, by trying all of them: every region along every axis in every number of chunks, and
 * loops in the bodies of loops, two deep. `known` is what some plan comes to: only better ones are of interest. What is left
 * out cannot lead to one, because a loop changes nothing that runs before its first node, and is the better the fewer
 * chunks it has. Without a budget the plan with the smallest peak, otherwise the cheapest within it.
 */
export function optimum(graph: Graph, known: Outcome, options: OptimumOptions): Optimum {
  return new Enumeration(graph, known, options).best();
}

class Enumeration {
  readonly #graph: Graph;
  readonly #options: OptimumOptions;
  readonly #whole: State;
  readonly #regions: readonly Region[];
  readonly #costs = new Map<Choice, number>();
  #best: readonly Choice[] | undefined;
  #peak: number;
  #cost: number;
  #plans = 0;

  constructor(graph: Graph, known: Outcome, options: OptimumOptions) {
    this.#graph = graph;
    this.#options = options;
    this.#whole = analyse(graph, NO_CAP);
    this.#regions = this.#inOrder(this.#whole);
    this.#peak = known.peak;
    this.#cost = known.cost;
  }

  best(): Optimum {
    this.#visit([], this.#whole, 0);
    return {
      choices: this.#best,
      peak: this.#peak,
      cost: this.#cost,
      plans: this.#plans,
      isProven: this.#plans <= this.#options.most,
    };
  }

  /** What a plan must stay within to be better than the best one, or to be one at all. */
  get #limit(): number {
    return this.#options.budget ?? this.#peak - 1;
  }

  #costOf(choices: readonly Choice[]): number {
    let sum = 0;
    for (const choice of choices) {
      const cost = this.#costs.get(choice) ?? choiceCost(this.#whole, choice, this.#options.weights);
      this.#costs.set(choice, cost);
      sum += cost;
    }
    return sum;
  }

  /** Goes through the plans that begin with these loops and go on with loops that begin later. */
  #visit(choices: readonly Choice[], state: State, from: number): void {
    if (++this.#plans > this.#options.most) return;
    const { budget } = this.#options;
    if (this.#isDearer(choices)) return;
    if (state.peak <= this.#limit) {
      this.#best = choices;
      this.#peak = state.peak;
      this.#cost = this.#costOf(choices);
      if (budget !== undefined) return;
    }
    const used = idsOf(choices);
    for (const region of this.#regions) {
      const first = positionOf(this.#whole, region);
      if (first < from || [...region.cuts.keys()].some((id) => used.has(id))) continue;
      // Loops from here on leave what runs before as it is.
      if (Math.max(...state.peaks.slice(0, positionOf(state, region))) > this.#limit) return;
      if (!arrange(state.index, region)) continue;
      for (const more of this.#variants(choices, region))
        this.#visit([...choices, more.choice], more.state, first + 1);
    }
  }

  /** The loops over a region that stay within the limit: with as few chunks as do, or with loops inside. */
  *#variants(choices: readonly Choice[], region: Region): Iterable<Placed> {
    for (const chunkSize of this.#sizes(region)) {
      if (++this.#plans > this.#options.most) return;
      const choice = { region, chunkSize };
      // Smaller chunks cost more.
      if (this.#isDearer([...choices, choice])) return;
      const placed = this.#with(choices, choice);
      if (placed.peak <= this.#limit) yield placed;
      // Plans with the loop may have lowered the limit.
      if (placed.peak <= this.#limit || floorOf(placed) > this.#limit) return;
      const base = inside(placed);
      yield* this.#withLoopsInside(choices, placed, base, this.#inOrder(base.body), 0);
    }
  }

  #sizes({ extent }: Region): number[] {
    if (this.#options.budget === undefined) return [1];
    const sizes = new Set<number>();
    for (let size = Math.ceil(extent / 2); size >= 1; size--) sizes.add(evenChunk(extent, size));
    return [...sizes];
  }

  /** A loop with more loops in its body, those that begin at a position of the body without loops or later. */
  *#withLoopsInside(
    choices: readonly Choice[],
    placed: Placed,
    base: Inside,
    regions: readonly Region[],
    from: number,
  ): Iterable<Placed> {
    const { body, names } = inside(placed);
    const { inner = [] } = placed.choice;
    const taken = idsOf(inner);
    for (const region of regions) {
      const first = positionOf(base.body, region);
      if (first < from || [...region.cuts.keys()].some((id) => taken.has(renameValue(id, names)))) continue;
      if (Math.max(...body.peaks.slice(0, positionOf(body, region))) > this.#limit) return;
      if (!arrange(body.index, region)) continue;
      for (const chunkSize of this.#sizes(region)) {
        if (++this.#plans > this.#options.most) return;
        const added = renameChoice({ region, chunkSize }, names);
        const choice = { ...placed.choice, inner: [...inner, added] };
        if (this.#isDearer([...choices, choice])) break;
        const more = this.#with(choices, choice);
        if (more.peak <= this.#limit) yield more;
        if (more.peak <= this.#limit) break;
        yield* this.#withLoopsInside(choices, more, base, regions, first + 1);
      }
    }
  }

  #isDearer(choices: readonly Choice[]): boolean {
    return this.#options.budget !== undefined && this.#costOf(choices) >= this.#cost;
  }

  #with(choices: readonly Choice[], choice: Choice): Placed {
    const state = analyse(sketchLoops(this.#graph, [...choices, choice]), NO_CAP);
    const position = state.graph.nodes.findIndex(
      (node) => node.kind === 'loop' && computes(choice.region, resultOf(node)),
    );
    return { choice, state, position, peak: state.peaks[position] as number };
  }

  #inOrder(state: State): Region[] {
    const { splitReductions = false } = this.#options;
    return everyRegion(state.index, { splitReductions }).sort(
      (a, b) => positionOf(state, a) - positionOf(state, b),
    );
  }
}

/** The graph with a loop more. */
interface Placed {
  readonly choice: Choice;
  readonly state: State;
  /** Where the loop is. */
  readonly position: number;
  /** Most live bytes while it runs. */
  readonly peak: number;
}

/** Bytes that are alive before a loop or after it, whatever its chunk size and the loops inside are. */
function floorOf({ state: { before }, position }: Placed): number {
  return Math.max(before[position] as number, before[position + 1] ?? 0);
}

/** The body of a loop, and what the graph calls its values. */
interface Inside {
  readonly body: State;
  readonly names: ReadonlyMap<ValueId, ValueId>;
}

function inside({ state, position }: Placed): Inside {
  const loop = state.graph.nodes[position] as LoopNode;
  const names = new Map(loop.results.map(({ id, value }) => [value, id]));
  return { body: analyseBody(state, position, NO_CAP), names };
}

const idsOf = (choices: readonly Choice[]): Set<ValueId> =>
  new Set(choices.flatMap(({ region }) => [...region.cuts.keys()]));

/** Position of the first node that computes a value of a region, or of the loop that does. */
function positionOf({ index }: State, { cuts }: Region): number {
  for (const id of cuts.keys()) {
    const at = index.definedAt.get(id);
    if (at !== undefined) return at;
  }
  throw new Error('a region without values');
}
