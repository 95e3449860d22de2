import type { NodeCut } from '../../ir/flow.ts';
import { type Graph, type Node, type OpNode, operandsOf, type ValueId } from '../../ir/node.ts';
import type { Choice } from '../loops/region.ts';
import { baseOf } from './derived.ts';
import { copyPattern, type GraphIndex, indexGraph, lastUse } from './graph-index.ts';

/** A deep model with most of its equal layers left out: plans for it are plans for the whole model. */
export interface Shortened {
  readonly graph: Graph;
  /** The choices for the whole model; undefined where they cannot be carried over. */
  expand(choices: readonly Choice[]): Choice[] | undefined;
}

/** Layers that stay. */
interface Kept {
  /** The first ones; the last of them stands for those left out. */
  readonly before: number;
  /** The last ones. */
  readonly after: number;
}

/** One, or where that is not enough also the first, which may read other things than the others, and the last. */
const KEPT: readonly Kept[] = [
  { before: 1, after: 0 },
  { before: 2, after: 1 },
];
/** Equal layers that are worth it. */
const FEWEST = 5;

/** Equal runs of nodes one after another. */
interface Layers {
  /** Position of the first node. */
  readonly start: number;
  /** Nodes of a layer. */
  readonly period: number;
  readonly count: number;
}

/**
 * Leaves out layers of a graph without loops, as many as can be first: nothing when there are too few that are equal, or
 * when they read more than the layer before, what all of them read, and parameters.
 */
export function shortenLayers(graph: Graph): Shortened[] {
  const index = indexGraph(graph);
  const layers = findLayers(index);
  return layers ? KEPT.flatMap((kept) => shorten(index, layers, kept) ?? []) : [];
}

function shorten(index: GraphIndex, layers: Layers, kept: Kept): Shortened | undefined {
  // Then the first layer stands for the others.
  if (kept.before === 1 && !isFirstAlike(index, layers)) return undefined;
  const { graph } = index;
  const { start, period, count } = layers;
  const removed = (count - kept.before - kept.after) * period;
  const from = start + kept.before * period;
  const nodes: Node[] = [];
  for (const [position, node] of (graph.nodes as readonly OpNode[]).entries()) {
    if (position >= from && position < from + removed) continue;
    const operands: ValueId[] = [];
    for (const id of node.operands) {
      const at = index.definedAt.get(id) ?? -1;
      if (at < from || at >= from + removed || position < from) {
        operands.push(id);
        continue;
      }
      const inNextLayer = position < from + removed + period && at >= from + removed - period;
      if (!inNextLayer) return undefined;
      operands.push((graph.nodes[at - removed] as Node).id);
    }
    const same = operands.every((id, i) => id === node.operands[i]);
    nodes.push(same ? node : copyPattern({ ...node, operands }, node));
  }
  const outputs: Graph['outputs'][number][] = [];
  for (const output of graph.outputs) {
    const at = index.definedAt.get(output.value) ?? -1;
    const isRemoved = at >= from && at < from + removed;
    if (isRemoved && at < from + removed - period) return undefined;
    outputs.push(isRemoved ? { ...output, value: (graph.nodes[at - removed] as OpNode).id } : output);
  }
  const read = new Set(nodes.flatMap(operandsOf));
  const params = graph.params.filter(({ id }) => read.has(id));
  // What those left out read lives on behind the ones that stay, where no last layer reads it too.
  const lasting = new Set(kept.after > 0 ? [] : graph.nodes.slice(from, from + removed).flatMap(operandsOf));
  for (const id of lasting) {
    const at = index.definedAt.get(id);
    const isOutput = outputs.some(({ value }) => value === id);
    if (at !== undefined && at < start && !isOutput) outputs.push({ name: id, value: id });
  }
  const inputs = graph.inputs.map((input) => (lasting.has(input.id) ? { ...input, donated: false } : input));
  const short = { ...graph, inputs, params, nodes, outputs };
  return { graph: short, expand: (choices) => expand(index, layers, kept, choices) };
}

function findLayers(index: GraphIndex): Layers | undefined {
  const { nodes } = index.graph;
  const kinds = new Map<string, number>();
  const kindOf = nodes.map((node) => {
    const text = node.kind === 'op' ? describe(node, index) : node.id;
    const kind = kinds.get(text) ?? kinds.size;
    kinds.set(text, kind);
    return kind;
  });
  const middle = nodes.length >> 1;
  for (let period = 1; period * FEWEST <= nodes.length; period++) {
    if (kindOf[middle] !== kindOf[middle + period]) continue;
    let start = middle;
    while (start > 0 && kindOf[start - 1] === kindOf[start - 1 + period]) start--;
    let stop = middle + period;
    while (stop < nodes.length && kindOf[stop] === kindOf[stop - period]) stop++;
    const shift = narrowest(index, start + period, period);
    const layers = { start: start + shift, period, count: Math.floor((stop - start - shift) / period) };
    if (layers.count >= FEWEST && (stop - start) * 2 > nodes.length && areWiredAlike(index, layers))
      return layers;
  }
  return undefined;
}

/** How far behind a position of as many the fewest values live on: loops seldom lead from a layer into the next there. */
function narrowest(index: GraphIndex, from: number, positions: number): number {
  const change = Array.from({ length: positions }, () => 0);
  let lasting = 0;
  for (const [id, at] of index.definedAt) {
    const last = lastUse(index, id);
    if (last < from || at >= from + positions) continue;
    if (at < from) lasting++;
    else if (at + 1 < from + positions) change[at + 1 - from] = (change[at + 1 - from] as number) + 1;
    const gone = last + 1 - from;
    if (gone < positions) change[gone] = (change[gone] as number) - 1;
  }
  let best = 0;
  let fewest = Number.POSITIVE_INFINITY;
  for (const [position, by] of change.entries()) {
    lasting += by;
    if (lasting >= fewest) continue;
    fewest = lasting;
    best = position;
  }
  return best;
}

const describe = (node: OpNode, { types }: GraphIndex): string =>
  JSON.stringify([
    node.op,
    node.attrs,
    node.dtype,
    node.shape,
    node.symbolic,
    node.hints,
    node.operands.map((id) => [types.get(id)?.dtype, types.get(id)?.shape]),
  ]);

/** Does every layer from the third on read what the second reads, one layer on? */
function areWiredAlike({ graph, definedAt }: GraphIndex, { start, period, count }: Layers): boolean {
  const params = new Set(graph.params.map(({ id }) => id));
  const second = graph.nodes.slice(start + period, start + 2 * period);
  for (let layer = 2; layer < count; layer++) {
    const shift = (layer - 1) * period;
    for (const [k, node] of second.entries()) {
      const other = operandsOf(graph.nodes[start + layer * period + k] as Node);
      for (const [i, id] of operandsOf(node).entries()) {
        const read = other[i] as ValueId;
        if (params.has(id)) {
          if (!params.has(read)) return false;
          continue;
        }
        const at = definedAt.get(id);
        const same = at === undefined || at < start ? read === id : definedAt.get(read) === at + shift;
        if (!same) return false;
      }
    }
  }
  return true;
}

/** Does the first layer read of itself what the second does, and parameters where that does? */
function isFirstAlike({ graph, definedAt }: GraphIndex, { start, period }: Layers): boolean {
  const params = new Set(graph.params.map(({ id }) => id));
  const within = (id: ValueId, from: number): number => {
    const at = (definedAt.get(id) ?? -1) - from;
    return at >= 0 && at < period ? at : -1;
  };
  return graph.nodes.slice(start, start + period).every((node, k) => {
    const other = operandsOf(graph.nodes[start + period + k] as Node);
    return operandsOf(node).every((id, i) => {
      const read = other[i] as ValueId;
      return params.has(id) === params.has(read) && within(id, start) === within(read, start + period);
    });
  });
}

function expand(
  index: GraphIndex,
  { start, period, count }: Layers,
  { before, after }: Kept,
  choices: readonly Choice[],
): Choice[] | undefined {
  const { nodes } = index.graph;
  const removed = count - before - after;
  /** The layer of a node in the shortened graph; -1 before the layers, Infinity after them. */
  const layerOf = (id: ValueId): number => {
    const layer = Math.floor(((index.definedAt.get(id) as number) - start) / period);
    if (layer < 0) return -1;
    return layer < before ? layer : layer < count ? layer - removed : Number.POSITIVE_INFINITY;
  };
  const movedValue = (id: ValueId, by: number): ValueId => {
    const at = index.definedAt.get(id);
    if (at === undefined) {
      const base = baseOf(id) as ValueId;
      return movedValue(base, by) + id.slice(base.length);
    }
    const layer = layerOf(id);
    const further = layer < 0 || layer === Number.POSITIVE_INFINITY ? 0 : by - (layer < before ? 0 : removed);
    return (nodes[at + further * period] as Node).id;
  };
  /** The same choice in the whole graph, a number of layers further on than in the shortened one. */
  const moved = (choice: Choice, by: number): Choice => {
    const cuts = new Map<ValueId, NodeCut>();
    for (const [id, cut] of choice.region.cuts) cuts.set(movedValue(id, by), cut);
    const { chunkSize, inner } = choice;
    const region = { cuts, extent: choice.region.extent };
    return inner ? { region, chunkSize, inner: inner.map((one) => moved(one, by)) } : { region, chunkSize };
  };
  const expanded: Choice[] = [];
  const taken = new Set<ValueId>();
  for (const choice of choices) {
    const reached = [...choice.region.cuts.keys()].map(layerOf);
    const first = Math.min(...reached);
    // What begins in the last layer before those left out stands for what begins in them.
    const shifts = first < before - 1 ? [0] : first >= before ? [removed] : range(removed + 1);
    if (first < before && Math.max(...reached) === Number.POSITIVE_INFINITY) return undefined;
    for (const by of shifts) {
      const one = moved(choice, by);
      for (const id of one.region.cuts.keys()) {
        if (taken.has(id)) return undefined;
        taken.add(id);
      }
      expanded.push(one);
    }
  }
  return expanded;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
