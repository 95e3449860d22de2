import type { Graph } from '../../ir/node.ts';
import { type Shortened, shortenLayers } from '../graph/layers.ts';
import { sketchLoops } from '../loops/place-loops.ts';
import type { Choice } from '../loops/region.ts';
import { analyse, type State } from '../memory/state.ts';
import { choicesOf } from './family.ts';
import type { PartialPlan } from './partial-plans.ts';
import { Selection, type SelectionOptions } from './selection.ts';

/** The loops that a search chose, and the memory of the graph with them. */
export interface Searched {
  readonly choices: Choice[];
  readonly state: State;
}

/** Searches a graph: a few layers of a model of many equal ones, where that is as good as all of them. */
export class GraphSearch {
  readonly #graph: Graph;
  readonly #options: SelectionOptions;
  /** The fewest layers first. */
  readonly #short: readonly Shortened[];
  readonly #selections = new Map<Graph, Selection>();

  constructor(graph: Graph, options: SelectionOptions) {
    this.#graph = graph;
    this.#options = options;
    this.#short = shortenLayers(graph);
  }

  #selection(graph: Graph): Selection {
    const known = this.#selections.get(graph) ?? new Selection(graph, this.#options);
    this.#selections.set(graph, known);
    return known;
  }

  /** What a search finds, in the whole graph; undefined where it finds nothing. */
  run(search: (selection: Selection) => PartialPlan): Searched;
  run(search: (selection: Selection) => PartialPlan | undefined): Searched | undefined;
  run(search: (selection: Selection) => PartialPlan | undefined): Searched | undefined {
    for (const { graph, expand } of this.#short) {
      const found = search(this.#selection(graph));
      if (!found) return undefined;
      const choices = expand(choicesOf(found.families));
      const state = choices && analyse(sketchLoops(this.#graph, choices), this.#options.cap);
      const { peak, oversized } = found.state;
      if (state && state.peak <= peak && (state.oversized.length === 0) === (oversized.length === 0))
        return { choices, state };
    }
    const found = search(this.#selection(this.#graph));
    return found && { choices: choicesOf(found.families), state: found.state };
  }
}
