import { choiceCost } from '../compiler/choice-cost.ts';
import type { Weights } from '../compiler/cost-model.ts';
import { arrange, type Choice, type Region, renameChoice, sketchLoops } from '../compiler/region.ts';
import { analyse, analyseBody, type State } from '../compiler/state.ts';
import type { Graph, LoopNode, ValueId } from '../ir/node.ts';
import { evenChunk } from '../layout/chunks.ts';
import { everyRegion } from './every-region.ts';

const NO_CAP = Number.POSITIVE_INFINITY;

/** A plan and what it comes to. */
export interface Optimum {
  readonly choices: readonly Choice[];
  readonly peak: number;
  /** L of all loops. */
  readonly cost: number;
  /** Plans looked at. */
  readonly plans: number;
  /** False when there were more plans than may be looked at: a better one may exist. */
  readonly isProven: boolean;
}

export interface OptimumOptions {
  readonly weights: Weights;
  /** Plans looked at before giving up. */
  readonly most: number;
}

/**
 * The best plan for a small graph, by trying all of them: every region along every axis in every number of chunks, and
 * loops in the bodies of loops, two deep. `known` is a plan to begin with: only better ones are of interest. What is left out
 * cannot lead to one, because a loop changes nothing that runs before its first node, and is the better the fewer
 * chunks it has. Without a budget the plan with the smallest peak, otherwise the cheapest within it.
 */
export function optimum(
  graph: Graph,
  known: readonly Choice[],
  budget: number | undefined,
  options: OptimumOptions,
): Optimum {
  return new Enumeration(graph, known, budget, options).best();
}

class Enumeration {
  readonly #graph: Graph;
  readonly #budget: number | undefined;
  readonly #options: OptimumOptions;
  readonly #whole: State;
  readonly #regions: readonly Region[];
  readonly #costs = new Map<Choice, number>();
  #best: readonly Choice[];
  #peak: number;
  #cost: number;
  #plans = 0;

  constructor(graph: Graph, known: readonly Choice[], budget: number | undefined, options: OptimumOptions) {
    this.#graph = graph;
    this.#budget = budget;
    this.#options = options;
    this.#whole = analyse(graph, NO_CAP);
    this.#regions = inOrder(this.#whole);
    this.#best = known;
    this.#peak = analyse(sketchLoops(graph, known), NO_CAP).peak;
    this.#cost = this.#costOf(known);
  }

  best(): Optimum {
    this.#visit([], 0);
    const { most } = this.#options;
    return {
      choices: this.#best,
      peak: this.#peak,
      cost: this.#cost,
      plans: this.#plans,
      isProven: this.#plans <= most,
    };
  }

  /** What a plan must stay within to be better than the best one, or to be one at all. */
  get #limit(): number {
    return this.#budget ?? this.#peak - 1;
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
  #visit(choices: readonly Choice[], from: number): void {
    if (++this.#plans > this.#options.most) return;
    if (this.#budget !== undefined && this.#costOf(choices) >= this.#cost) return;
    const state = analyse(sketchLoops(this.#graph, choices), NO_CAP);
    if (state.peak <= this.#limit) {
      this.#best = choices;
      this.#peak = state.peak;
      this.#cost = this.#costOf(choices);
      if (this.#budget !== undefined) return;
    }
    const used = new Set(choices.flatMap(({ region }) => [...region.cuts.keys()]));
    for (const region of this.#regions) {
      const first = positionOf(this.#whole, region);
      if (first < from || [...region.cuts.keys()].some((id) => used.has(id))) continue;
      // Loops from here on leave what runs before as it is.
      if (Math.max(...state.peaks.slice(0, positionOf(state, region))) > this.#limit) return;
      if (!arrange(state.index, region)) continue;
      for (const choice of this.#variants(choices, region)) this.#visit([...choices, choice], first + 1);
    }
  }

  /** The loops over a region that stay within the limit: with as few chunks as do, or with loops inside. */
  *#variants(choices: readonly Choice[], region: Region): Iterable<Choice> {
    for (const chunkSize of this.#sizes(region)) {
      const choice = { region, chunkSize };
      if (this.#loopPeak(choices, choice) <= this.#limit) {
        yield choice;
        return;
      }
      yield* this.#withLoopsInside(choices, choice, 0);
    }
  }

  #sizes({ extent }: Region): number[] {
    if (this.#budget === undefined) return [1];
    const sizes = new Set<number>();
    for (let size = Math.ceil(extent / 2); size >= 1; size--) sizes.add(evenChunk(extent, size));
    return [...sizes];
  }

  *#withLoopsInside(choices: readonly Choice[], choice: Choice, from: number): Iterable<Choice> {
    const state = analyse(sketchLoops(this.#graph, [...choices, choice]), NO_CAP);
    const position = positionOf(state, choice.region);
    const loop = state.index.graph.nodes[position] as LoopNode;
    const body = analyseBody(state, position, NO_CAP);
    const names = new Map(loop.results.map(({ id, value }) => [value, id]));
    const { inner = [] } = choice;
    for (const region of inOrder(body)) {
      const first = this.#inBase(region, names);
      if (first < from) continue;
      if (Math.max(...body.peaks.slice(0, positionOf(body, region))) > this.#limit) return;
      for (const chunkSize of this.#sizes(region)) {
        if (++this.#plans > this.#options.most) return;
        const added = renameChoice({ region, chunkSize }, names);
        const more = { ...choice, inner: [...inner, added] };
        if (this.#loopPeak(choices, more) <= this.#limit) {
          yield more;
          break;
        }
        if (chunkSize === 1) yield* this.#withLoopsInside(choices, more, first + 1);
      }
    }
  }

  /** Position in the graph of the first value of a region of a body. */
  #inBase({ cuts }: Region, names: ReadonlyMap<ValueId, ValueId>): number {
    const id = cuts.keys().next().value as ValueId;
    return this.#whole.index.definedAt.get(names.get(id) ?? id) as number;
  }

  #loopPeak(choices: readonly Choice[], choice: Choice): number {
    const state = analyse(sketchLoops(this.#graph, [...choices, choice]), NO_CAP);
    return state.peaks[positionOf(state, choice.region)] as number;
  }
}

/** Position of the first node that computes a value of a region, or of the loop that does. */
function positionOf({ index }: State, { cuts }: Region): number {
  for (const id of cuts.keys()) {
    const at = index.definedAt.get(id);
    if (at !== undefined) return at;
  }
  throw new Error('a region without values');
}

function inOrder(state: State): Region[] {
  return everyRegion(state.index).sort((a, b) => positionOf(state, a) - positionOf(state, b));
}
