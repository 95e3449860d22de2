import type { Node, OpNode } from '../../ir/node.ts';
import { evenChunk } from '../../layout/chunks.ts';
import { loopCost, reluctance, sharesOf } from '../cost/cost.ts';
import type { Weights } from '../cost/cost-model.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import type { Region } from '../loops/region.ts';
import type { State } from '../memory/state.ts';
import { type Evaluation, evaluate, largestChunk, loopPeak } from './evaluate.ts';
import { regionKey } from './family.ts';
import { outline } from './outline.ts';
import type { PartialPlan } from './partial-plans.ts';
import { type Candidate, distinct, outcome, preferred, ranked } from './ranking.ts';
import { type Rejection, type SearchOptions, searchRegions } from './search.ts';
import { locate, type Spot } from './spot.ts';
import { splits, worthRounding } from './worth-rounding.ts';

export interface CandidateOptions {
  /** Largest single storage in bytes. */
  readonly cap: number;
  readonly weights: Weights;
  /** How far around the peak a region may reach, in nodes. */
  readonly window?: number;
  /** Whether loops may cut what an op adds up; false unless said. */
  readonly splitReductions?: boolean;
  readonly onRejection?: (rejection: Rejection) => void;
  /** Whether windows may be cut. Default: true. */
  readonly borders?: boolean;
}

/** How far around the peak a region may reach, in nodes, unless asked otherwise. */
export const WINDOW = 40;
/**
 * Loops with different kernels that a plan is tried with, half of them for their costs: the more the smaller the graph is,
 * for that many nodes altogether, within limits.
 */
const NODES = 240;
const FEWEST = 8;
const MOST = 24;

/** Graphs of so many nodes are small: they are searched in more ways. */
const SMALL = 12;
export const isSmall = (nodes: number): boolean => nodes <= SMALL;

/** So many regions are all evaluated. */
const FEW = 64;
/** Regions around a node of a small graph, at most. */
const MOST_REGIONS = 512;
/**
 * How many iterations a loop that splits a reduction may take for the smallest peak, and with the loops around and inside it.
 * Its chunks leave less and less behind next to what it carries, and every one takes more kernels than without it.
 */
const MOST_PARTS = 64;
const MOST_ITERATIONS = 4096;

const inSplit = ({ loop }: Evaluation, { inner }: Spot): boolean =>
  loop.carries.length > 0 || inner?.splits === true;

/** The chunk size with which a loop is tried for the smallest peak. */
function smallestChunk(evaluation: Evaluation, spot: Spot): number {
  if (!inSplit(evaluation, spot)) return 1;
  const most = Math.max(2, Math.floor(MOST_ITERATIONS / (spot.inner?.iterations ?? 1)));
  const parts = evaluation.loop.carries.length > 0 ? Math.min(MOST_PARTS, most) : most;
  return Math.ceil(evaluation.region.extent / parts);
}

/**
 * Every region that contains a node, also those whose flows reach other nodes of it only, and those that leave out what
 * such a region computes from outside values alone.
 */
function regionsWith(index: GraphIndex, at: number, options: SearchOptions): Region[] {
  const { nodes } = index.graph;
  const { id } = nodes[at] as OpNode;
  const regions = new Map<string, Region>();
  const add = (region: Region): void => {
    const key = regionKey(region);
    if (regions.size === MOST_REGIONS || regions.has(key) || !region.cuts.has(id)) return;
    regions.set(key, region);
    for (const source of region.cuts.keys()) {
      const { operands } = nodes[index.definedAt.get(source) as number] as OpNode;
      if (source === id || operands.some((operand) => region.cuts.has(operand))) continue;
      const cuts = new Map(region.cuts);
      cuts.delete(source);
      add({ cuts, extent: region.extent });
    }
  };
  const found = [...nodes.entries()].flatMap(([position, { kind }]) =>
    kind === 'loop' ? [] : searchRegions(index, position, options),
  );
  for (const region of found) add(region);
  return [...regions.values()];
}

/** The loops worth trying where a partial plan exceeds a budget or the cap. What is found is kept: plans resemble each other. */
export class Candidates {
  readonly #options: CandidateOptions;
  readonly #found = new Map<string, readonly Region[]>();
  readonly #distinct = new Map<string, Region>();
  readonly #evaluated = new Map<string, readonly Evaluation[]>();
  readonly #numbers = new Map<Node, number>();

  /** How many loops a plan is tried with. */
  readonly tried: number;
  readonly #isSmall: boolean;

  /** @param nodes of the graph */
  constructor(options: CandidateOptions, nodes: number) {
    this.#options = options;
    this.tried = Math.min(MOST, Math.max(FEWEST, Math.round(NODES / Math.max(1, nodes))));
    this.#isSmall = isSmall(nodes);
  }

  /** Candidates that bring the peak (or a storage over the cap) of a partial plan within the budget, or another node. */
  within(partial: PartialPlan, budget: number, at?: readonly number[]): Candidate[] {
    const { state } = partial;
    const { cap } = this.#options;
    const candidates: Candidate[] = [];
    const spot = this.#spot(partial, budget, at);
    for (const evaluation of this.promising(spot, budget)) {
      const chunkSize = largestChunk(evaluation, budget, cap);
      if (
        chunkSize < smallestChunk(evaluation, spot) ||
        (!this.#isSmall && evaluation.aroundBytes > Math.max(state.peak, budget))
      )
        continue;
      candidates.push(this.at(spot, evaluation, chunkSize));
    }
    const hinted = preferred(candidates);
    const least = (a: Candidate, b: Candidate): number =>
      outcome(a.evaluation) - outcome(b.evaluation) || a.cost - b.cost;
    const cheapest = distinct(
      hinted.sort((a, b) => a.cost - b.cost),
      this.tried >> 1,
    );
    return distinct([...cheapest, ...hinted.sort(least).slice(0, this.tried)], this.tried);
  }

  /**
   * Candidates that do not bring the peak of a partial plan within the budget by themselves, but with loops inside them: larger
   * chunks than {@link within} has, fewer of each region the larger they are.
   */
  unfinished(partial: PartialPlan, budget: number, at?: readonly number[]): Candidate[] {
    const { state } = partial;
    const { cap } = this.#options;
    const spot = this.#spot(partial, budget, at);
    const candidates: Candidate[] = [];
    // What a loop holds before it has others inside says little; one that splits is not taken for what it might come to.
    const limit = this.#isSmall ? Number.POSITIVE_INFINITY : state.peak;
    for (const evaluation of this.promising(spot, limit)) {
      const { fixedBytes, aroundBytes, region } = evaluation;
      if (fixedBytes >= budget || aroundBytes > Math.max(state.peak, budget)) continue;
      const most = largestChunk(evaluation, splits(evaluation) ? state.peak : limit, cap);
      const least = Math.max(largestChunk(evaluation, budget, cap) + 1, smallestChunk(evaluation, spot));
      const sizes = new Set<number>();
      for (let size = least; size <= most; size *= 2) sizes.add(evenChunk(region.extent, size));
      for (const size of sizes) candidates.push(this.at(spot, evaluation, size));
    }
    candidates.sort((a, b) => a.cost - b.cost);
    return distinct(candidates, this.tried);
  }

  /** Candidates that lower the peak of a partial plan as far as they can, or at another node that runs at the peak. */
  lowering(partial: PartialPlan, at?: readonly number[]): Candidate[] {
    const { state } = partial;
    const candidates: Candidate[] = [];
    const tooLarge = state.oversized.length > 0;
    const spot = this.#spot(partial, tooLarge ? state.peak : state.peak - 1, at);
    for (const evaluation of this.promising(spot, undefined)) {
      const candidate = this.smallest(spot, evaluation);
      if ((candidate.peak >= state.peak && !tooLarge) || evaluation.aroundBytes > state.peak) continue;
      candidates.push(candidate);
    }
    candidates.sort(
      (a, b) => a.peak - b.peak || a.evaluation.aroundBytes - b.evaluation.aroundBytes || a.cost - b.cost,
    );
    return distinct(candidates, this.tried);
  }

  /** Where a partial plan exceeds the budget or, where it does not, the cap. */
  #spot({ state, families }: PartialPlan, budget: number, at?: readonly number[]): Spot {
    return locate(state, families, state.peak > budget ? 'peak' : 'oversized', this.#options.cap, at);
  }

  /**
   * The regions around the node that exceeds the budget or the cap, at most a few of each kind: those that leave least
   * and, within a budget, those that cost least.
   */
  promising(spot: Spot, budget: number | undefined): readonly Evaluation[] {
    const { state, at, inner, kind } = spot;
    const node = state.index.graph.nodes[at];
    if (node === undefined || node.kind === 'loop') return [];
    // Loops at other nodes move what holds up those that exceed: what they leave themselves says nothing.
    const exceeds = kind === 'peak' && (state.peaks[at] as number) > (budget ?? state.peak - 1);
    const key = `${budget} ${exceeds} ${this.#situation(spot)}`;
    let evaluations = this.#evaluated.get(key);
    if (!evaluations) {
      const regions = this.#regions(state, at, inner !== undefined);
      evaluations = this.#best(regions, spot, budget).flatMap((region) => evaluate(state, region) ?? []);
      if (exceeds) evaluations = worthRounding(evaluations, outcome, spot, budget);
      if (kind === 'oversized')
        evaluations = evaluations.filter(({ loop }) =>
          [...loop.results.map(({ id }) => id), ...loop.carries.map(({ of }) => of)].every(
            (id) => id !== node.id,
          ),
        );
      this.#evaluated.set(key, evaluations);
    }
    return evaluations;
  }

  /** Text that two spots share only if their plans are the same around them, down to the bytes. */
  #situation({ state, at, kind }: Spot): string {
    const { window = WINDOW } = this.#options;
    const [from, to] = [Math.max(0, at - window), at + window + 1];
    return `${kind} ${this.#nodesAround(state.graph.nodes, at)} ${state.before.slice(from, to).join(' ')}`;
  }

  #nodesAround(nodes: readonly Node[], at: number): string {
    const { window = WINDOW } = this.#options;
    const around = nodes.slice(Math.max(0, at - window), at + window + 1);
    return `${this.#number(nodes[at] as Node)}: ${around.map((node) => this.#number(node)).join(' ')}`;
  }

  #best(regions: readonly Region[], spot: Spot, budget: number | undefined): Region[] {
    const { state, kind } = spot;
    const { weights, cap } = this.#options;
    if (regions.length <= FEW) return [...regions];
    const limit = kind === 'peak' ? (budget ?? state.peak - 1) : Number.POSITIVE_INFINITY;
    const all = regions.flatMap((region) => outline(state, region, weights, limit) ?? []);
    const worthIt = kind === 'peak' ? worthRounding(all, (one) => loopPeak(one, 1), spot, budget) : all;
    const outlines = worthIt.filter((one) => loopPeak(one, 1) <= limit);
    const byPeak = ranked(outlines, (one) => [loopPeak(one, 1), one.kernels]);
    if (budget === undefined) return byPeak;
    const byCost = ranked(outlines, (one) => {
      const chunkSize = largestChunk({ ...one, storages: [] }, budget, cap);
      return [one.costAt(Math.max(chunkSize, 1)), loopPeak(one, 1)];
    });
    return [...new Set([...byPeak, ...byCost])];
  }

  /** The regions around a node; they depend on the nodes around it alone. */
  #regions({ index, graph }: State, at: number, inBody: boolean): readonly Region[] {
    const { window = WINDOW, onRejection, borders = true, splitReductions = false } = this.#options;
    const key = this.#nodesAround(graph.nodes, at);
    let regions = this.#found.get(key);
    if (!regions) {
      // What stops a flow inside a body is cut already: no reason to give.
      const options = {
        window,
        borders,
        splitReductions,
        ...(onRejection && !inBody ? { onRejection } : {}),
      };
      regions = this.#isSmall ? regionsWith(index, at, options) : searchRegions(index, at, options);
      if (!inBody) regions = regions.map((region) => this.#same(region));
      this.#found.set(key, regions);
    }
    return regions;
  }

  /** One object for equal regions of the graph, so that what is known of one is known wherever it is met again. */
  #same(region: Region): Region {
    const key = regionKey(region);
    const known = this.#distinct.get(key) ?? region;
    this.#distinct.set(key, known);
    return known;
  }

  #number(node: Node): number {
    const known = this.#numbers.get(node) ?? this.#numbers.size;
    this.#numbers.set(node, known);
    return known;
  }

  /** The loop over an evaluated region with the smallest chunks that are tried. */
  smallest(spot: Spot, evaluation: Evaluation): Candidate {
    return this.at(spot, evaluation, smallestChunk(evaluation, spot));
  }

  /** The loop over an evaluated region with a chunk size. */
  at(spot: Spot, evaluation: Evaluation, chunkSize: number): Candidate {
    const { loop, calls, arrangement } = evaluation;
    const { types } = spot.state.index;
    const { weights } = this.#options;
    const shares = sharesOf(evaluation.region, chunkSize, types);
    const cost =
      (spot.inner?.iterations ?? 1) *
      reluctance(loop) *
      loopCost(arrangement.inside, loop, calls.length, chunkSize, types, weights, shares).total;
    return { spot, evaluation, chunkSize, cost, peak: loopPeak(evaluation, chunkSize) };
  }
}
