import { invariant } from '../../errors.ts';
import { describeCut, type Flow, isContraction, isObstacle, type NodeCut } from '../../ir/flow.ts';
import type { Node, OpNode, ValueId } from '../../ir/node.ts';
import { definedBy, operandsOf } from '../../ir/node.ts';
import { baseOf, renameValue } from '../graph/derived.ts';
import { flowThrough, type GraphIndex, patternOf } from '../graph/graph-index.ts';
import { isStreamed } from './stream.ts';

/** Nodes to run inside one loop, in execution order, each with the one axis it is cut along. */
export interface Region {
  readonly cuts: ReadonlyMap<ValueId, NodeCut>;
  /** Units of the loop. */
  readonly extent: number;
}

/** Does every storage of the body grow with the chunk size, from nothing? */
export const isProportional = ({ cuts }: Region): boolean =>
  [...cuts.values()].every(
    (cut) => !isContraction(cut) && cut.before === undefined && cut.after === undefined,
  );

/** A region with its chunk size: one loop of a plan. */
export interface Choice {
  readonly region: Region;
  readonly chunkSize: number;
  /** What a graph in named dimensions calls the chunk size, which is not known before the module runs. */
  readonly chunkName?: string;
  /** The loops in its body. Their regions name values as the graph without loops does. */
  readonly inner?: readonly Choice[];
}

/** A choice over other values: those that `names` gives another name. */
export function renameChoice(choice: Choice, names: ReadonlyMap<ValueId, ValueId>): Choice {
  const { region, inner } = choice;
  const cuts = new Map([...region.cuts].map(([id, cut]) => [renameValue(id, names), cut]));
  const renamed = { ...choice, region: { cuts, extent: region.extent } };
  return inner ? { ...renamed, inner: inner.map((other) => renameChoice(other, names)) } : renamed;
}

/** A region in its graph: what must run before the loop, inside it and after it. */
export interface Arrangement {
  readonly first: number;
  readonly last: number;
  readonly before: readonly Node[];
  readonly inside: readonly OpNode[];
  readonly after: readonly Node[];
}

/**
 * Splits the nodes from the region's first to its last: those that read the region's values run after the loop, the
 * others before it. Undefined when the region is not convex, that is when it needs what must run after it.
 */
export const arrange = ({ graph, definedAt }: GraphIndex, region: Region): Arrangement | undefined =>
  arrangeAt(
    (first, last) => graph.nodes.slice(first, last + 1),
    (id) => definedAt.get(id) as number,
    region,
  );

/** The same for nodes at given positions: loops have taken some away, and have brought some that finish what they carry. */
export function arrangeAt(
  nodesFrom: (first: number, last: number) => readonly Node[],
  positionOf: (id: ValueId) => number,
  region: Region,
): Arrangement | undefined {
  let first = Number.POSITIVE_INFINITY;
  let last = -1;
  for (const id of region.cuts.keys()) {
    const position = positionOf(id);
    first = Math.min(first, position);
    last = Math.max(last, position);
  }
  const before: Node[] = [];
  const inside: OpNode[] = [];
  const after: Node[] = [];
  const late = new Set<ValueId>();
  for (const node of nodesFrom(first, last)) {
    const operands = operandsOf(node);
    const waits = operands.some((id) => late.has(id));
    if (node.kind === 'op' && region.cuts.has(node.id)) {
      if (waits) return undefined;
      inside.push(node);
    } else if (waits || operands.some((id) => region.cuts.has(id))) {
      after.push(node);
      for (const { id } of definedBy(node)) late.add(id);
    } else {
      before.push(node);
    }
  }
  return { first, last, before, inside, after };
}

/** What a node of a region reads. Regions come from the search, so the flow exists. */
export function flowOf(node: OpNode, cut: NodeCut, types: GraphIndex['types']): Flow {
  if (isStreamed(node, cut)) return { operands: [cut], shifts: [], windows: [] };
  const pattern = patternOf(node, types);
  const flow = pattern && flowThrough(pattern, cut);
  invariant(flow !== undefined && !isObstacle(flow), () => `${node.id} cannot be cut: ${describeCut(cut)}`);
  return flow;
}

/** Is a value, or the one that it is derived from, computed in a region? */
export function computes(region: Region, id: ValueId): boolean {
  const base = baseOf(id);
  return region.cuts.has(id) || (base !== undefined && computes(region, base));
}

/** Is a value of the region an output of the graph or read by a node that is not in the region? */
export function usedOutside(index: GraphIndex, region: Region, value: ValueId): boolean {
  if (index.outputs.has(value)) return true;
  return (index.usedAt.get(value) ?? []).some((position) => {
    const user = index.graph.nodes[position] as Node;
    return user.kind === 'loop' || !region.cuts.has(user.id);
  });
}

/** What a region is cut along, for people: a dimension of the model where there is one. */
export function overName(region: Region, inside: readonly OpNode[]): string {
  for (let i = inside.length - 1; i >= 0; i--) {
    const node = inside[i] as OpNode;
    const cut = region.cuts.get(node.id) as NodeCut;
    const dim = cut.multiple === 1 && !isContraction(cut) ? node.symbolic?.[cut.axis] : undefined;
    if (typeof dim === 'string') return dim;
  }
  return `axis of ${region.extent}`;
}
