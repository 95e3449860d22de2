import { invariant, UserError } from '../errors.ts';
import { formatBytes } from '../ir/bytes.ts';
import { printShape } from '../ir/dims.ts';
import { definedBy, type Graph, type Node, type ValueId } from '../ir/node.ts';

import { loopCost } from './cost.ts';
import { bytesOf } from './estimate.ts';
import { type Evaluation, evaluate, evenChunk, largestChunk, loopPeak } from './evaluate.ts';
import {
  choicesOf,
  type Family,
  familyOf,
  innerChoices,
  innerCost,
  keyOf,
  regionKey,
  replaceInner,
} from './family.ts';
import { shortenLayers } from './layers.ts';
import { outline } from './outline.ts';
import { overBudget } from './over-budget.ts';
import { type Candidate, compareStates, distinct, lowerThan, outcome, preferred, ranked } from './ranking.ts';
import { type Choice, placeLoops, type Region, renameChoice, sketchLoops } from './region.ts';
import { type Repeat, repeatsOf } from './repeats.ts';
import { type Rejection, searchRegions } from './search.ts';
import { locate, type Spot } from './spot.ts';
import { analyse, type State } from './state.ts';
import type { Weights } from './weights.ts';

export interface SelectOptions {
  /** Bytes, or undefined for the smallest peak the search can reach. */
  readonly budget: number | undefined;
  /** Largest single storage in bytes. */
  readonly cap: number;
  readonly weights: Weights;
  /** How far around the peak a region may reach, in nodes. */
  readonly window?: number;
  /** How many partial plans are kept. */
  readonly beam?: number;
  readonly onRejection?: (rejection: Rejection) => void;
  readonly signal?: AbortSignal | undefined;
}

/** How far around the peak a region may reach, in nodes, unless asked otherwise. */
export const WINDOW = 40;
const BEAM = 4;
/** Every step of a plan covers all repeats of a region, so that plans are short even for deep models. */
const MAX_STEPS = 24;

/** A state of the dynamic programme: loops chosen so far, and the exact memory of the graph with them. */
interface Partial {
  readonly families: readonly Family[];
  readonly state: State;
  readonly cost: number;
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
    budget === undefined ? search.smallest() : search.within(budget),
  );
  if (fits(state, budget ?? state.peak)) return choices;
  const uncut = state.oversized.flatMap((at) => state.index.graph.nodes[at]?.id ?? []);
  throw overBudget(placeLoops(graph, choices), budget ?? state.peak, cap, uncut);
}

/**
 * The smallest peak that the search reaches, in bytes, without making the plan for it; Infinity where no plan keeps
 * every storage within the cap.
 *
 * @throws UserError for an input over the cap.
 */
export function smallestPeak(graph: Graph, options: SelectOptions): number {
  checkInputs(graph, options);
  const { state } = searched(graph, options, (search) => search.leastPeak());
  return state.oversized.length === 0 ? state.peak : Number.POSITIVE_INFINITY;
}

/**
 * What a search finds: in a few layers of a model of many equal ones, where that is as good as in all of them.
 */
function searched(
  graph: Graph,
  options: SelectOptions,
  search: (selection: Selection) => Partial,
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

const fits = ({ peak, oversized }: State, budget: number): boolean =>
  peak <= budget && oversized.length === 0;

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

class Selection {
  readonly #graph: Graph;
  readonly #options: SelectOptions;
  readonly #known = new Map<string, Partial>();
  readonly #found = new Map<string, readonly Region[]>();
  readonly #distinct = new Map<string, Region>();
  readonly #evaluated = new Map<string, readonly Evaluation[]>();
  readonly #numbers = new Map<Node, number>();
  readonly #empty: Partial;

  constructor(graph: Graph, options: SelectOptions) {
    this.#graph = graph;
    this.#options = options;
    this.#empty = { families: [], state: analyse(graph, options.cap), cost: 0 };
  }

  /** The cheapest plan within a budget, or the one with the smallest peak where none is. */
  within(budget: number): Partial {
    if (fits(this.#empty.state, budget)) return this.#empty;
    const found = this.#cheapest(budget);
    if (found) return this.#refine(found, budget);
    const least = this.leastPeak();
    return fits(least.state, budget) ? this.#refine(least, budget) : least;
  }

  /** The cheapest plan with the smallest peak that the search reaches. */
  smallest(): Partial {
    const least = this.leastPeak();
    const budget = least.state.peak;
    if (!fits(least.state, budget)) return least;
    const plan = this.#refine(least, budget);
    const cheap = this.#cheapest(budget);
    const other = cheap && this.#refine(cheap, budget);
    return other && other.cost < plan.cost ? other : plan;
  }

  /** Beam search by cost. Every step brings the node at the peak within the budget. */
  #cheapest(budget: number): Partial | undefined {
    let beam = [this.#empty];
    let best: Partial | undefined;
    const width = this.#options.beam ?? BEAM;
    for (let step = 0; step < MAX_STEPS && beam.length > 0; step++) {
      const next = new Map<string, { child: Partial; from: Partial }>();
      for (const from of beam) {
        this.#options.signal?.throwIfAborted();
        for (const candidate of this.#within(from, budget)) {
          const child = this.#extend(from, candidate, budget);
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
      this.#forget(beam);
    }
    return best;
  }

  /** Beam search by peak, with the smallest chunks. */
  leastPeak(): Partial {
    let beam = [this.#empty];
    let best = this.#empty;
    for (let step = 0; step < MAX_STEPS && beam.length > 0; step++) {
      const next = new Map<string, Partial>();
      for (const partial of beam) {
        this.#options.signal?.throwIfAborted();
        const children = this.#lowering(partial)
          .map((candidate) => this.#extend(partial, candidate, candidate.peak))
          .filter((child) => lowerThan(child.state, partial.state));
        if (children.length === 0) children.push(...this.#repaired(partial));
        for (const child of children) next.set(keyOf(child.families), child);
      }
      beam = [...next.values()]
        .sort((a, b) => compareStates(a.state, b.state) || a.cost - b.cost)
        .slice(0, this.#options.beam ?? BEAM);
      this.#forget(beam);
      if (beam[0] && lowerThan(beam[0].state, best.state)) best = beam[0];
    }
    return best;
  }

  /**
   * Lower plans than one that no further loop lowers: loops near its peak stand in the way of a better one, and are left
   * out for it.
   */
  #repaired(partial: Partial): Partial[] {
    const { state, families } = partial;
    const { window = WINDOW } = this.#options;
    const node = state.index.graph.nodes[state.peakAt];
    const peak = node && definedBy(node)[0];
    if (families.length === 0 || state.oversized.length > 0 || !peak) return [];
    const { definedAt } = this.#empty.state.index;
    const isNear = (id: ValueId): boolean =>
      Math.abs((definedAt.get(id) as number) - (definedAt.get(peak.id) as number)) <= window;
    const near = families.flatMap(({ repeats }) => repeats.filter(({ region }) => isAny(region, isNear)));
    const lower: Partial[] = [];
    for (const dropped of [...near.map((repeat) => [repeat]), ...(near.length > 1 ? [near] : [])]) {
      const fewer = this.#without(families, (repeat) => dropped.includes(repeat));
      const spot = { state: fewer.state, at: 0, kind: 'peak' } as const;
      const at = fewer.state.index.definedAt.get(peak.id) as number;
      const candidates = this.#promising({ ...spot, at }, state.peak - 1)
        .filter((evaluation) => loopPeak(evaluation, 1) < state.peak)
        .map((evaluation) => this.#candidate({ ...spot, at }, evaluation, 1))
        .sort((a, b) => a.peak - b.peak || a.cost - b.cost);
      for (const candidate of distinct(candidates, 2 * BEAM)) {
        const repeats = repeatsOf(this.#empty.state.index, candidate.evaluation.region);
        const values = new Set(repeats.flatMap(({ region }) => [...region.cuts.keys()]));
        const others = this.#without(families, ({ region }) => isAny(region, (id) => values.has(id)));
        const child = this.#extend(others, candidate, candidate.peak);
        if (lowerThan(child.state, state)) lower.push(child);
      }
    }
    return lower;
  }

  /** A plan without some of the loops of its families. */
  #without(families: readonly Family[], drops: (repeat: Repeat) => boolean): Partial {
    return this.#partial(
      families.flatMap((family) => {
        const kept = family.repeats.filter((repeat) => !drops(repeat));
        if (kept.length === family.repeats.length) return [family];
        return kept.length === 0 ? [] : [familyOf(family.model, kept, family.cost / family.repeats.length)];
      }),
    );
  }

  /** Candidates that bring the peak (or a storage over the cap) of a partial plan within the budget. */
  #within(partial: Partial, budget: number): Candidate[] {
    const { state } = partial;
    const { cap } = this.#options;
    const candidates: Candidate[] = [];
    const spot = this.#spot(partial, budget);
    for (const evaluation of this.#promising(spot, budget)) {
      const chunkSize = largestChunk(evaluation, budget, cap);
      if (chunkSize < 1 || evaluation.aroundBytes > Math.max(state.peak, budget)) continue;
      candidates.push(this.#candidate(spot, evaluation, chunkSize));
    }
    const hinted = preferred(candidates);
    const least = (a: Candidate, b: Candidate): number =>
      outcome(a.evaluation) - outcome(b.evaluation) || a.cost - b.cost;
    const cheapest = distinct(
      hinted.sort((a, b) => a.cost - b.cost),
      BEAM,
    );
    return distinct([...cheapest, ...hinted.sort(least).slice(0, 2 * BEAM)], 2 * BEAM);
  }

  /** Candidates that lower the peak of a partial plan as far as they can. */
  #lowering(partial: Partial): Candidate[] {
    const { state } = partial;
    const candidates: Candidate[] = [];
    const tooLarge = state.oversized.length > 0;
    const spot = this.#spot(partial, tooLarge ? state.peak : state.peak - 1);
    for (const evaluation of this.#promising(spot, undefined)) {
      const peak = loopPeak(evaluation, 1);
      if ((peak >= state.peak && !tooLarge) || evaluation.aroundBytes > state.peak) continue;
      candidates.push(this.#candidate(spot, evaluation, 1));
    }
    candidates.sort(
      (a, b) => a.peak - b.peak || a.evaluation.aroundBytes - b.evaluation.aroundBytes || a.cost - b.cost,
    );
    return distinct(candidates, 2 * BEAM);
  }

  /** Where a partial plan exceeds the budget or, where it does not, the cap. */
  #spot({ state, families }: Partial, budget: number): Spot {
    return locate(state, families, state.peak > budget ? 'peak' : 'oversized', this.#options.cap);
  }

  /**
   * The regions around the node that exceeds the budget or the cap, at most a few of each kind: those that leave least
   * and, within a budget, those that cost least.
   */
  #promising(spot: Spot, budget: number | undefined): readonly Evaluation[] {
    const { state, at, inner, kind } = spot;
    const node = state.index.graph.nodes[at];
    if (node === undefined || node.kind === 'loop') return [];
    const { window = WINDOW } = this.#options;
    const from = Math.max(0, at - window);
    const around = state.index.graph.nodes.slice(from, at + window + 1);
    const local = `${node.id}: ${around.map((node) => this.#number(node)).join(' ')}`;
    // Partial plans that are the same around a node, down to the bytes, differ elsewhere.
    const key = `${kind} ${budget} ${local} ${state.before.slice(from, at + window + 1).join(' ')}`;
    let evaluations = this.#evaluated.get(key);
    if (!evaluations) {
      const regions = this.#regions(state, at, local, inner !== undefined);
      evaluations = this.#best(regions, spot, budget).flatMap((region) => evaluate(state, region) ?? []);
      if (kind === 'oversized')
        evaluations = evaluations.filter(({ loop }) => loop.results.every(({ id }) => id !== node.id));
      this.#evaluated.set(key, evaluations);
    }
    return evaluations;
  }

  #best(regions: readonly Region[], { state, kind }: Spot, budget: number | undefined): Region[] {
    const { weights, cap } = this.#options;
    const limit = kind === 'peak' ? (budget ?? state.peak - 1) : Number.POSITIVE_INFINITY;
    const outlines = regions
      .flatMap((region) => outline(state, region, weights) ?? [])
      .filter((one) => loopPeak(one, 1) <= limit);
    const byPeak = ranked(outlines, (one) => [loopPeak(one, 1), one.kernels]);
    if (budget === undefined) return byPeak;
    const byCost = ranked(outlines, (one) => {
      const chunkSize = largestChunk({ ...one, storagePerUnit: 0 }, budget, cap);
      return [one.costAt(Math.max(chunkSize, 1)), loopPeak(one, 1)];
    });
    return [...new Set([...byPeak, ...byCost])];
  }

  /** The regions around a node; they depend on the nodes around it alone. */
  #regions({ index }: State, at: number, key: string, inBody: boolean): readonly Region[] {
    const { window = WINDOW, onRejection } = this.#options;
    let regions = this.#found.get(key);
    if (!regions) {
      // What stops a flow inside a body is cut already: no reason to give.
      regions = searchRegions(index, at, { window, ...(onRejection && !inBody ? { onRejection } : {}) });
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

  #candidate(spot: Spot, evaluation: Evaluation, chunkSize: number): Candidate {
    const { loop, calls, arrangement } = evaluation;
    const { types } = spot.state.index;
    const cost =
      (spot.inner?.iterations ?? 1) *
      loopCost(arrangement.inside, loop, calls.length, chunkSize, types, this.#options.weights).total;
    return { spot, evaluation, chunkSize, cost, peak: loopPeak(evaluation, chunkSize) };
  }

  /**
   * The partial plan with a candidate's loop, and the same loop over every repeat that exceeds the budget too. A loop
   * inside loops is put into all loops of their family.
   */
  #extend(partial: Partial, candidate: Candidate, budget: number): Partial {
    const { state } = partial;
    const { spot, evaluation, chunkSize, cost } = candidate;
    const { region } = evaluation;
    if (spot.inner) {
      const { family, loop, names } = spot.inner;
      const added = renameChoice({ region, chunkSize }, names);
      const { inner = [] } = loop;
      const model = replaceInner(family.model, loop, { ...loop, inner: [...inner, added] });
      const extended = familyOf(model, family.repeats, family.cost / family.repeats.length + cost);
      return this.#partial(partial.families.map((other) => (other === family ? extended : other)));
    }
    const exceeds = (id: ValueId): boolean => {
      const at = state.index.definedAt.get(id) as number;
      return (state.peaks[at] as number) > budget || state.oversized.includes(at);
    };
    const repeats = repeatsOf(state.index, region).filter(
      (repeat) => repeat.region === region || [...repeat.region.cuts.keys()].some(exceeds),
    );
    return this.#partial([...partial.families, familyOf({ region, chunkSize }, repeats, cost)]);
  }

  #partial(families: readonly Family[]): Partial {
    const key = keyOf(families);
    let partial = this.#known.get(key);
    if (!partial) {
      let state: State | undefined;
      const analysed = (): State => analyse(sketchLoops(this.#graph, choicesOf(families)), this.#options.cap);
      partial = {
        families,
        cost: families.reduce((sum, { cost }) => sum + cost, 0),
        get state() {
          state ??= analysed();
          return state;
        },
      };
      this.#known.set(key, partial);
    }
    return partial;
  }

  /** Plans that do not go on take memory, and are rarely met again. */
  #forget(beam: readonly Partial[]): void {
    this.#known.clear();
    for (const partial of beam) this.#known.set(keyOf(partial.families), partial);
  }

  /** Drops loops that the budget does not need, the dearest first, and makes the chunks of the others as large as it allows. */
  #refine(plan: Partial, budget: number): Partial {
    let current = plan;
    const replace = (at: number, family: Family | undefined): boolean => {
      const families = current.families.flatMap((other, i) => (i === at ? (family ?? []) : other));
      const trial = this.#partial(families);
      if (!fits(trial.state, budget)) return false;
      current = trial;
      return true;
    };
    const dearest = (): number[] =>
      current.families
        .map((_, i) => i)
        .sort((a, b) => (current.families[b] as Family).cost - (current.families[a] as Family).cost);
    for (const family of dearest().map((at) => current.families[at] as Family)) {
      replace(current.families.indexOf(family), undefined);
    }
    for (const at of dearest()) {
      const family = (): Family => current.families[at] as Family;
      for (const inner of innerChoices(family().model)) {
        replace(at, this.#remodelled(family(), replaceInner(family().model, inner, undefined)));
      }
      for (const repeat of family().repeats) {
        const { model, repeats, cost } = family();
        if (repeats.length === 1) break;
        const fewer = repeats.filter((other) => other !== repeat);
        replace(at, familyOf(model, fewer, cost / repeats.length));
      }
    }
    for (const at of dearest()) {
      const family = (): Family => current.families[at] as Family;
      this.#enlarge(family().model, (chunkSize) =>
        replace(at, this.#remodelled(family(), { ...family().model, chunkSize })),
      );
      for (let i = 0; i < innerChoices(family().model).length; i++) {
        const inner = (): Choice => innerChoices(family().model)[i] as Choice;
        this.#enlarge(inner(), (chunkSize) => {
          const model = replaceInner(family().model, inner(), { ...inner(), chunkSize });
          return replace(at, this.#remodelled(family(), model));
        });
      }
    }
    return current;
  }

  /** Finds the largest chunk size that `fits`, then evens it out. */
  #enlarge({ region: { extent }, chunkSize }: Choice, fits: (chunkSize: number) => boolean): void {
    let low = chunkSize;
    let high = Math.ceil(extent / 2);
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (fits(middle)) low = middle;
      else high = middle - 1;
    }
    const even = evenChunk(extent, low);
    if (even !== low) fits(even);
  }

  /** A family with other chunk sizes or other loops inside, its cost recomputed. */
  #remodelled(family: Family, model: Choice): Family {
    const evaluation = evaluate(this.#empty.state, model.region);
    invariant(evaluation !== undefined, 'a chosen region is not convex');
    const spot = { state: this.#empty.state, at: 0, kind: 'peak' } as const;
    const { cost } = this.#candidate(spot, evaluation, model.chunkSize);
    const inside = innerCost(this.#empty.state.index, model, this.#options.weights);
    return familyOf(model, family.repeats, cost + inside);
  }
}

const isAny = ({ cuts }: Region, is: (id: ValueId) => boolean): boolean => [...cuts.keys()].some(is);
