import type { Graph, Node, OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import { copyPattern, type GraphIndex, indexGraph, lastUse } from '../graph/graph-index.ts';
import { freshNames } from '../graph/names.ts';
import type { Choice } from '../loops/region.ts';
import { bytesOf } from '../memory/estimate.ts';
import type { State } from '../memory/state.ts';

/** A graph without loops in which some values are computed once more for each of their readers. */
export interface Recomputing {
  readonly graph: Graph;
  /** From copies to what they are copies of. */
  readonly copies: ReadonlyMap<ValueId, ValueId>;
}

/** Floating-point operations an element of a value that is cheaper to compute again than to keep. */
const CHEAP = 10;
/** Values that are smaller than this share of the peak are not worth it. */
const SMALL = 1 / 64;

/**
 * The kinds of cheap values that are alive at the peak of a plan, where what they are made of is alive there as well: a loop
 * can then compute its part of them instead of reading what has been kept. Equal layers have values of the same kinds.
 *
 * @param state the graph with the loops of the plan, or a few of its layers with them
 */
export function worthCopying(graph: Graph, state: State): ReadonlySet<string> {
  const index = indexGraph(graph);
  const alive = aliveAtPeak(graph, state);
  const isWorthIt = (node: OpNode): boolean =>
    bytesOf(node.shape, {}) >= SMALL * state.peak && alive(node.id) && node.operands.every(alive);
  return new Set(
    cheapIn(index)
      .filter(isWorthIt)
      .map((node) => keyOf(node, index)),
  );
}

/** Gives every reader but the first a copy of its own of the values of some kinds. */
export function copyValues(graph: Graph, kinds: ReadonlySet<string>): Recomputing {
  const index = indexGraph(graph);
  const copied = new Map(
    cheapIn(index)
      .filter((node) => kinds.has(keyOf(node, index)))
      .map((node) => [node.id, node]),
  );
  const fresh = freshNames(graph);
  const copies = new Map<ValueId, ValueId>();
  const read = new Set<ValueId>();
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    if (node.kind === 'loop') return [node];
    const made: OpNode[] = [];
    const own = new Map<ValueId, ValueId>();
    for (const id of new Set(node.operands)) {
      const from = copied.get(id);
      if (!from) continue;
      if (read.has(id)) {
        const copy = copyPattern({ ...from, id: fresh(`${id}_again`) }, from);
        made.push(copy);
        own.set(id, copy.id);
        copies.set(copy.id, id);
      }
      read.add(id);
    }
    if (own.size === 0) return [node];
    const operands = node.operands.map((id) => own.get(id) ?? id);
    return [...made, copyPattern({ ...node, operands }, node)];
  });
  return { graph: { ...graph, nodes }, copies };
}

const cheapIn = (index: GraphIndex): OpNode[] =>
  index.graph.nodes.filter((node): node is OpNode => node.kind === 'op' && isCheap(node, index));

/** Whether a value is there, or is a parameter, while the peak of a plan is reached. */
function aliveAtPeak({ inputs, params }: Graph, { lifetimes, peakAt }: State): (id: ValueId) => boolean {
  const kept = new Set([...params, ...inputs.filter(({ donated }) => !donated)].map(({ id }) => id));
  return (id) =>
    kept.has(id) || ((lifetimes.definedAt.get(id) ?? -1) <= peakAt && lastUse(lifetimes, id) >= peakAt);
}

/** Does an op with several readers work element by element, or row by row, on values as large as its own? */
function isCheap(node: OpNode, { types, usedAt, outputs }: GraphIndex): boolean {
  const def = opDef(node.op);
  if (!def.inPlace?.includes(0) || outputs.has(node.id) || (usedAt.get(node.id)?.length ?? 0) < 2)
    return false;
  const operands = node.operands.map((id) => types.get(id) as TensorType);
  return def.flops(operands, node.attrs, node) <= (CHEAP * bytesOf(node.shape, {})) / 4;
}

const keyOf = (node: OpNode, { graph, usedAt }: GraphIndex): string =>
  JSON.stringify([
    node.op,
    node.attrs,
    node.shape,
    (usedAt.get(node.id) ?? []).map((position) => {
      const user = graph.nodes[position];
      return user?.kind === 'op' ? [user.op, user.shape] : [];
    }),
  ]);

/** A graph and the loops to be put into it. */
export interface Chosen {
  readonly graph: Graph;
  readonly choices: readonly Choice[];
}

/** Copies are tried out one by one up to this many. */
const MOST_TRIALS = 24;

/** Takes back copies that a plan does not need: those in one loop, and those outside of loops, as far as they fit. */
export function mergeCopies(
  { graph, choices }: Chosen,
  { copies }: Pick<Recomputing, 'copies'>,
  fits: (chosen: Chosen) => boolean,
): Chosen {
  if (copies.size === 0) return { graph, choices };
  const merges: [ValueId, ValueId][] = [];
  const firsts = new Map<string, ValueId>();
  const origins = new Set(copies.values());
  const places = placesOf(choices);
  for (const { id } of graph.nodes) {
    const origin = copies.get(id) ?? id;
    if (!origins.has(origin)) continue;
    const place = `${origin} ${places.get(id) ?? ''}`;
    const first = firsts.get(place);
    if (first === undefined) firsts.set(place, id);
    else if (copies.has(id)) merges.push([id, first]);
  }
  const all = merged({ graph, choices }, new Map(merges));
  if (merges.length === 0 || fits(all)) return all;
  let current: Chosen = { graph, choices };
  for (const merge of merges.slice(0, MOST_TRIALS)) {
    const trial = merged(current, new Map([merge]));
    if (fits(trial)) current = trial;
  }
  return current;
}

/** For every value in loops a text: the same one for values that the same loops compute, cut in the same way. */
function placesOf(choices: readonly Choice[]): Map<ValueId, string> {
  const places = new Map<ValueId, string>();
  for (const [i, { region, inner = [] }] of choices.entries()) {
    const inside = placesOf(inner);
    for (const [id, cut] of region.cuts)
      places.set(id, `${i} ${JSON.stringify(cut)} ${inside.get(id) ?? ''}`);
  }
  return places;
}

/** Readers of the first value of each pair read the second instead. */
function merged({ graph, choices }: Chosen, merges: ReadonlyMap<ValueId, ValueId>): Chosen {
  const touched = new Set<ValueId>([...merges].flat());
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    if (node.kind === 'loop') return [node];
    if (merges.has(node.id)) return [];
    if (!node.operands.some((id) => merges.has(id))) return [node];
    touched.add(node.id);
    return [copyPattern({ ...node, operands: node.operands.map((id) => merges.get(id) ?? id) }, node)];
  });
  const without = (choice: Choice): Choice => {
    const { cuts } = choice.region;
    // What is known of a region is known of its nodes as they are.
    if (![...cuts.keys()].some((id) => touched.has(id))) return choice;
    const region = { ...choice.region, cuts: new Map([...cuts].filter(([id]) => !merges.has(id))) };
    return choice.inner ? { ...choice, region, inner: choice.inner.map(without) } : { ...choice, region };
  };
  return { graph: { ...graph, nodes }, choices: choices.map(without) };
}
