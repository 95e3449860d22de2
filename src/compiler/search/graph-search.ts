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
  readonly #short: { readonly selection: Selection; readonly expand: Shortened['expand'] } | undefined;
  #full: Selection | undefined;

  constructor(graph: Graph, options: SelectionOptions) {
    this.#graph = graph;
    this.#options = options;
    const short = shortenLayers(graph);
    this.#short = short && { selection: new Selection(short.graph, options), expand: short.expand };
  }

  /** What a search finds, in the whole graph; undefined where it finds nothing. */
  run(search: (selection: Selection) => PartialPlan): Searched;
  run(search: (selection: Selection) => PartialPlan | undefined): Searched | undefined;
  run(search: (selection: Selection) => PartialPlan | undefined): Searched | undefined {
    if (this.#short) {
      const found = search(this.#short.selection);
      if (!found) return undefined;
      const choices = this.#short.expand(choicesOf(found.families));
      const state = choices && analyse(sketchLoops(this.#graph, choices), this.#options.cap);
      const { peak, oversized } = found.state;
      if (state && state.peak <= peak && (state.oversized.length === 0) === (oversized.length === 0))
        return { choices, state };
    }
    this.#full ??= new Selection(this.#graph, this.#options);
    const found = search(this.#full);
    return found && { choices: choicesOf(found.families), state: found.state };
  }
}
