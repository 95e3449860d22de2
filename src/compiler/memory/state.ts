import { invariant } from '../../errors.ts';
import {
  definedBy,
  type Graph,
  type LoopNode,
  type LoopResult,
  type Node,
  operandsOf,
  type ValueId,
} from '../../ir/node.ts';
import type { Step } from '../../ir/program.ts';
import { type GraphIndex, indexGraph, lastUse } from '../graph/graph-index.ts';
import { numbered } from '../graph/names.ts';
import type { Arrangement } from '../loops/region.ts';
import { Block } from './block.ts';
import { bytesOf, type Sizes, simulate } from './estimate.ts';
import { donatedTo, inputPlaces } from './lower.ts';
import type { Place, Places } from './place.ts';
import { readsInBody, readsInGraph } from './reads.ts';
import { bodySurroundings, type Surroundings } from './surroundings.ts';

/** A graph, or the body of a loop, with its exact memory, node by node. */
export interface State {
  readonly graph: Graph;
  readonly index: GraphIndex;
  /** The index as the lives of storages see it: what a body hands out is written where it belongs, nothing stays alive for it. */
  readonly lifetimes: GraphIndex;
  readonly around: Surroundings;
  /** Live bytes before every node. */
  readonly before: readonly number[];
  /** Most live bytes while a node runs. */
  readonly peaks: readonly number[];
  readonly peak: number;
  /** The first node that runs at the peak. */
  readonly peakAt: number;
  /** How many nodes run at the peak. */
  readonly atPeak: number;
  /** Storages of the graph larger than the cap, by the node that allocates them. */
  readonly oversized: readonly number[];
  readonly sizes: Sizes;
  readonly places: ReadonlyMap<ValueId, Place>;
  /** Values seen in a storage, by storage. */
  readonly valuesIn: ReadonlyMap<ValueId, readonly ValueId[]>;
  /** Results of loops that are copied from chunks. */
  readonly indirect: ReadonlySet<LoopResult>;
  /** The steps of every node. */
  readonly groups: readonly (readonly Step[])[];
}

/** Is the peak within a budget, and every storage within the cap? */
export const fits = ({ peak, oversized }: State, budget: number): boolean =>
  peak <= budget && oversized.length === 0;

/** Lowers a graph and runs its steps on a counter. The figures are those of `estimate(lower(graph))`. */
export function analyse(graph: Graph, cap: number): State {
  const outer = placesOfInputs(graph);
  const around = { fresh: numbered(), sketched: true, bindings: {} };
  const reads = readsInGraph(graph);
  // What is freed before anything runs counts for the peak, and nowhere else.
  const isUnread = (id: ValueId): boolean => !reads.times.has(id);
  const donated = donatedTo(graph);
  const unread = new Set(donated.filter(isUnread));
  const owned = donated.filter((id) => !unread.has(id));
  const block = new Block(around, outer, { owned, reads });
  for (const node of graph.nodes) block.add(node);
  const outputs = block.ownOutputs(graph.outputs);
  block.free(new Set(outputs.map(({ value }) => value)));
  const sizes: Sizes = new Map();
  let live = 0;
  let given = 0;
  for (const input of graph.inputs) {
    const bytes = bytesOf(input.shape, {});
    sizes.set(input.id, bytes);
    given += bytes;
    if (!unread.has(input.id)) live += bytes;
  }
  const { indirect } = block;
  const places = [outer, block.places];
  return count({ graph, around, sizes, indirect, given }, block.groups, live, places, cap);
}

const known = new WeakMap<Graph['params'], { readonly inputs: Graph['inputs']; readonly places: Places }>();

/** A graph with loops shares its inputs and parameters with the graph without: they are placed once. */
function placesOfInputs(graph: Graph): Places {
  const { inputs, params } = graph;
  const last = known.get(params);
  if (last?.inputs === inputs) return last.places;
  const places = inputPlaces(graph);
  known.set(params, { inputs, places });
  return places;
}

/** The body of the loop at a position of a graph, on top of all that is alive around it. */
export function analyseBody(state: State, position: number, cap: number): State {
  const loop = state.index.graph.nodes[position];
  invariant(loop?.kind === 'loop', () => `there is no loop at ${position}`);
  const inside = { ...state.around, fresh: numbered(`${loop.body.name} `) };
  const around = bodySurroundings(loop, inside, state.indirect);
  const block = new Block(around, state.places, { reads: readsInBody(loop) });
  block.enter(loop);
  for (const node of loop.body.nodes) block.add(node);
  block.leave(loop);
  block.free(new Set());
  const sizes = new Map(state.sizes);
  let live = state.before[position] as number;
  for (const step of state.groups[position] as readonly Step[]) {
    if (step.kind === 'loop') break;
    live = simulate([step], live, sizes, {}, () => {});
  }
  const [, ...groups] = block.groups;
  const { indirect } = block;
  return count(
    { graph: loop.body, loop, around, sizes, indirect },
    groups,
    live,
    [state.places, block.places],
    cap,
  );
}

/** The figures of a graph that is lowered. What only a plan that goes on is asked for is made when it is. */
function count(
  {
    graph,
    loop,
    around,
    sizes,
    indirect,
    given = 0,
  }: Pick<State, 'around' | 'sizes' | 'indirect'> & { graph: Graph; loop?: LoopNode; given?: number },
  groups: readonly (readonly Step[])[],
  start: number,
  known: readonly Places[],
  cap: number,
): State {
  let live = start;
  const before: number[] = [];
  const peaks: number[] = [];
  const oversized: number[] = [];
  let peakAt = 0;
  groups.forEach((steps, position) => {
    before.push(live);
    let peak = live;
    let tooLarge = false;
    live = simulate(steps, live, sizes, {}, (step, now) => {
      peak = Math.max(peak, now);
      if (step.kind === 'alloc' && (sizes.get(step.value) as number) > cap) tooLarge = true;
    });
    peaks.push(peak);
    if (tooLarge) oversized.push(position);
    if (peak > (peaks[peakAt] as number)) peakAt = position;
  });
  const peak = Math.max(given, live, peaks[peakAt] ?? live);
  const atPeak = peaks.reduce((count, bytes) => count + (bytes === peak ? 1 : 0), 0);
  let index: GraphIndex | undefined;
  let lifetimes: GraphIndex | undefined;
  let storages: Pick<State, 'places' | 'valuesIn'> | undefined;
  return {
    graph,
    around,
    before,
    peaks,
    peak,
    peakAt,
    atPeak,
    oversized,
    sizes,
    indirect,
    groups,
    get index() {
      index ??= indexGraph(graph);
      return index;
    },
    get lifetimes() {
      // What a loop carries stays until the iteration ends.
      const carried = loop?.carries.map(({ value }) => value);
      lifetimes ??= carried ? { ...this.index, outputs: new Set<ValueId>(carried) } : this.index;
      return lifetimes;
    },
    get places() {
      storages ??= storagesIn(known);
      return storages.places;
    },
    get valuesIn() {
      storages ??= storagesIn(known);
      return storages.valuesIn;
    },
  };
}

function storagesIn(known: readonly Places[]): Pick<State, 'places' | 'valuesIn'> {
  const places = new Map<ValueId, Place>();
  const valuesIn = new Map<ValueId, ValueId[]>();
  for (const map of known) {
    for (const [value, place] of map) {
      const values = valuesIn.get(place.storage);
      if (values) values.push(value);
      else valuesIn.set(place.storage, [value]);
      places.set(value, place);
    }
  }
  return { places, valuesIn };
}

/** Does the graph free a storage: one of its own or one that it was given? */
const isOwned = ({ definedAt, graph }: GraphIndex, storage: ValueId): boolean =>
  definedAt.has(storage) || graph.inputs.some(({ id, donated }) => donated && id === storage);

/** Live bytes between the nodes that run before a region's loop and the loop. */
export function bytesBetween(state: State, { first, last, before }: Arrangement): number {
  const { lifetimes: index, places, valuesIn, sizes } = state;
  let bytes = state.before[first] as number;
  if (before.length === 0) return bytes;
  const early = new Set(before.flatMap((node) => definedBy(node).map(({ id }) => id)));
  const isNeeded = (storage: ValueId): boolean =>
    (valuesIn.get(storage) as ValueId[]).some((value) => {
      const at = index.definedAt.get(value) ?? -1;
      if (at > last || (at >= first && !early.has(value))) return false;
      if (lastUse(index, value) > last) return true;
      return (index.usedAt.get(value) ?? []).some((position) => {
        const node = index.graph.nodes[position] as Node;
        return position >= first && definedBy(node).some(({ id }) => !early.has(id));
      });
    });
  const seen = new Set<ValueId>();
  for (const node of before) {
    for (const id of [...definedBy(node).map(({ id }) => id), ...operandsOf(node)]) {
      const { storage } = places.get(id) as Place;
      if (!isOwned(index, storage) || seen.has(storage)) continue;
      seen.add(storage);
      if (early.has(storage)) bytes += sizes.get(storage) as number;
      if (!isNeeded(storage)) bytes -= sizes.get(storage) as number;
    }
  }
  return bytes;
}

/** Storages from before the node at `first` that nobody needs after the node at `last`. */
export function dyingIn(state: State, first: number, last: number): ValueId[] {
  const { lifetimes: index, places } = state;
  const dying = new Set<ValueId>();
  for (const node of index.graph.nodes.slice(first, last + 1)) {
    for (const id of operandsOf(node)) {
      if ((index.definedAt.get(id) ?? -1) >= first) continue;
      const { storage } = places.get(id) as Place;
      if (!dying.has(storage) && diesIn(state, storage, first, last)) dying.add(storage);
    }
  }
  return [...dying];
}

/** Is a storage from before the node at `first` one that nobody needs after the node at `last`? */
export function diesIn(state: State, storage: ValueId, first: number, last: number): boolean {
  const { lifetimes: index, valuesIn } = state;
  if (!isOwned(index, storage)) return false;
  const isBefore = (value: ValueId): boolean =>
    value === storage || (index.definedAt.get(value) ?? Number.POSITIVE_INFINITY) < first;
  return !(valuesIn.get(storage) as ValueId[]).some(
    (value) => isBefore(value) && lastUse(index, value) > last,
  );
}
