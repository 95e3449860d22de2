import type { Graph, ValueId } from '../../ir/node.ts';
import type { Weights } from '../cost/cost-model.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { type Repeat, repeatsOf } from '../graph/repeats.ts';
import { areConvexTogether } from '../loops/convex.ts';
import { sketchLoops } from '../loops/place-loops.ts';
import { arrange, type Choice, type Region, renameChoice } from '../loops/region.ts';
import { analyse, type State } from '../memory/state.ts';
import { choiceCost } from './choice-cost.ts';
import { choicesOf, type Family, familyOf, keyOf, regionsOf, replaceInner } from './family.ts';
import type { Candidate } from './ranking.ts';

/** A state of the dynamic programme: loops chosen so far, and the exact memory of the graph with them. */
export interface PartialPlan {
  readonly families: readonly Family[];
  /** Analysed when it is asked for: costs are known before the memory is. */
  readonly state: State;
  readonly cost: number;
}

/** Makes partial plans of one graph out of others, each once. */
export class PartialPlans {
  /** The plan without loops. */
  readonly empty: PartialPlan;
  readonly #graph: Graph;
  readonly #cap: number;
  readonly #weights: Weights;
  readonly #known = new Map<string, PartialPlan>();
  readonly #repeats = new Map<Region, readonly Repeat[]>();

  constructor(graph: Graph, cap: number, weights: Weights) {
    this.#graph = graph;
    this.#cap = cap;
    this.#weights = weights;
    this.empty = { families: [], state: analyse(graph, cap), cost: 0 };
  }

  /** The plan of these loops. */
  of(families: readonly Family[]): PartialPlan {
    const key = keyOf(families);
    let partial = this.#known.get(key);
    if (!partial) {
      let state: State | undefined;
      const analysed = (): State => analyse(sketchLoops(this.#graph, choicesOf(families)), this.#cap);
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

  /**
   * The plan of those loops of another graph that compute the same here: nodes of the same names with the same operands, read
   * by the same nodes.
   */
  adopted({ families }: PartialPlan, { state: { index: other } }: PartialPlan): PartialPlan {
    const { index } = this.empty.state;
    const node = ({ graph, definedAt }: GraphIndex, id: ValueId) => graph.nodes[definedAt.get(id) ?? -1];
    const readers = (of: GraphIndex, id: ValueId): string =>
      (of.usedAt.get(id) ?? []).map((position) => of.graph.nodes[position]?.id).join(' ');
    const isSame = (id: ValueId): boolean => {
      const [here, there] = [node(index, id), node(other, id)];
      if (here?.kind !== 'op' || there?.kind !== 'op') return false;
      return (
        here.operands.join(' ') === there.operands.join(' ') && readers(index, id) === readers(other, id)
      );
    };
    const kept: Family[] = [];
    for (const family of families) {
      const areSame = regionsOf([family]).every(
        (region) => [...region.cuts.keys()].every(isSame) && arrange(index, region),
      );
      if (areSame && areConvexTogether(index, regionsOf([...kept, family]))) kept.push(family);
    }
    // What is known of a region is known of it in one graph.
    const own = ({ cuts, extent }: Region): Region => ({ cuts, extent });
    return this.of(
      kept.map(({ model, repeats, cost }) =>
        familyOf(
          { ...model, region: own(model.region) },
          repeats.map(({ region, names }) => ({ region: own(region), names })),
          cost / repeats.length,
        ),
      ),
    );
  }

  /**
   * The partial plan with a candidate's loop, and the same loop over every repeat that exceeds the budget too. A loop
   * inside loops is put into all loops of their family.
   */
  extend(partial: PartialPlan, candidate: Candidate, budget: number): { child: PartialPlan; family: Family } {
    const { state } = partial;
    const { spot, evaluation, chunkSize, cost } = candidate;
    const { region } = evaluation;
    if (spot.inner) {
      const { family, loop, names } = spot.inner;
      const added = renameChoice({ region, chunkSize }, names);
      const { inner = [] } = loop;
      const model = replaceInner(family.model, loop, { ...loop, inner: [...inner, added] });
      const extended = familyOf(model, family.repeats, family.cost / family.repeats.length + cost);
      const child = this.of(partial.families.map((other) => (other === family ? extended : other)));
      return { child, family: extended };
    }
    const exceeds = (id: ValueId): boolean => {
      const at = state.index.definedAt.get(id) as number;
      return (state.peaks[at] as number) > budget || state.oversized.includes(at);
    };
    const repeats = placeable(
      state.index,
      this.repeats(region).filter(
        (repeat) =>
          repeat.region === region ||
          (isFree(state.index, repeat.region) && [...repeat.region.cuts.keys()].some(exceeds)),
      ),
    );
    const family = familyOf({ region, chunkSize }, repeats, cost);
    return { child: this.of([...partial.families, family]), family };
  }

  /** The regions of the graph that compute the same as one of it. */
  repeats(region: Region): readonly Repeat[] {
    let repeats = this.#repeats.get(region);
    if (!repeats) {
      repeats = repeatsOf(this.empty.state.index, region);
      this.#repeats.set(region, repeats);
    }
    return repeats;
  }

  /** A plan without some of the loops of its families. */
  without(families: readonly Family[], drops: (repeat: Repeat) => boolean): PartialPlan {
    return this.of(
      families.flatMap((family) => {
        const kept = family.repeats.filter((repeat) => !drops(repeat));
        if (kept.length === family.repeats.length) return [family];
        return kept.length === 0 ? [] : [familyOf(family.model, kept, family.cost / family.repeats.length)];
      }),
    );
  }

  /** A family with other chunk sizes or other loops inside, its cost recomputed. */
  remodelled(family: Family, model: Choice): Family {
    return familyOf(model, family.repeats, choiceCost(this.empty.state, model, this.#weights));
  }

  /** Plans that do not go on take memory, and are rarely met again. */
  forget(beam: readonly PartialPlan[]): void {
    this.#known.clear();
    for (const partial of beam) this.#known.set(keyOf(partial.families), partial);
  }
}

/** The repeats that loops can be placed over at once, the first before the others. */
function placeable(index: GraphIndex, repeats: readonly Repeat[]): readonly Repeat[] {
  const canAll = (some: readonly Repeat[]): boolean =>
    areConvexTogether(
      index,
      some.map(({ region }) => region),
    );
  if (canAll(repeats)) return repeats;
  const kept: Repeat[] = [];
  for (const repeat of repeats) if (canAll([...kept, repeat])) kept.push(repeat);
  return kept;
}

/** Can a loop be placed over a region where others are placed already? */
const isFree = (index: GraphIndex, region: Region): boolean =>
  [...region.cuts.keys()].every((id) => index.graph.nodes[index.definedAt.get(id) ?? -1]?.kind === 'op') &&
  arrange(index, region) !== undefined;
