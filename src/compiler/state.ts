import { type Graph, operandsOf, type ValueId } from '../ir/node.ts';
import { bytesOf, type Sizes, simulate } from './estimate.ts';
import { type GraphIndex, indexGraph, lastUse } from './graph-index.ts';
import { Block, inputPlaces, type Place } from './lower.ts';
import { numbered } from './names.ts';

/** A graph with its exact memory, node by node. */
export interface State {
  readonly index: GraphIndex;
  /** Live bytes before every node. */
  readonly before: readonly number[];
  /** Most live bytes while a node runs. */
  readonly peaks: readonly number[];
  readonly peak: number;
  /** The first node that runs at the peak. */
  readonly peakAt: number;
  /** Storages of the graph larger than the cap, by the node that allocates them. */
  readonly oversized: readonly number[];
  readonly sizes: Sizes;
  readonly places: ReadonlyMap<ValueId, Place>;
  /** Values seen in a storage, by storage. */
  readonly valuesIn: ReadonlyMap<ValueId, readonly ValueId[]>;
}

/** Lowers a graph and runs its steps on a counter. The figures are those of `estimate(lower(graph))`. */
export function analyse(graph: Graph, cap: number): State {
  const index = indexGraph(graph);
  const outer = inputPlaces(graph);
  const block = new Block({ fresh: numbered(), bindings: {} }, outer);
  for (const node of graph.nodes) block.add(node);
  const outputs = block.ownOutputs(graph.outputs);
  block.free(new Set(outputs.map(({ value }) => value)));
  const sizes: Sizes = new Map();
  let live = 0;
  for (const input of graph.inputs) {
    const bytes = bytesOf(input.shape, {});
    sizes.set(input.id, bytes);
    live += bytes;
  }
  const before: number[] = [];
  const peaks: number[] = [];
  const oversized: number[] = [];
  let peakAt = 0;
  block.groups.forEach((steps, position) => {
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
  const places = new Map([...outer, ...block.places]);
  const valuesIn = new Map<ValueId, ValueId[]>();
  for (const [value, { storage }] of places) {
    const values = valuesIn.get(storage);
    if (values) values.push(value);
    else valuesIn.set(storage, [value]);
  }
  return {
    index,
    before,
    peaks,
    peak: Math.max(live, ...peaks),
    peakAt,
    oversized,
    sizes,
    places,
    valuesIn,
  };
}

/** Storages from before the node at `first` that nobody needs after the node at `last`. */
export function dyingIn(state: State, first: number, last: number): ValueId[] {
  const { index, places, valuesIn } = state;
  const dying = new Set<ValueId>();
  for (const node of index.graph.nodes.slice(first, last + 1)) {
    for (const id of operandsOf(node)) {
      if ((index.definedAt.get(id) ?? -1) >= first) continue;
      const { storage } = places.get(id) as Place;
      if (!index.definedAt.has(storage) || dying.has(storage)) continue;
      const needed = (valuesIn.get(storage) as ValueId[]).some(
        (value) =>
          (index.definedAt.get(value) ?? Number.POSITIVE_INFINITY) < first && lastUse(index, value) > last,
      );
      if (!needed) dying.add(storage);
    }
  }
  return [...dying];
}
