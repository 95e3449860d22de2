import { invariant } from '../../errors.ts';
import { sameShape } from '../../ir/dims.ts';
import {
  backward,
  type Cut,
  contract,
  type Flow,
  isContraction,
  type NodeCut,
  type Obstacle,
} from '../../ir/flow.ts';
import {
  definedBy,
  type Graph,
  type OpNode,
  operandsOf,
  type TensorType,
  type ValueId,
} from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { AccessPattern } from '../../ir/pattern.ts';

/** What passes ask about a graph again and again. */
export interface GraphIndex {
  readonly graph: Graph;
  readonly types: ReadonlyMap<ValueId, TensorType>;
  /** Position of the node that defines a value; inputs and parameters are absent. */
  readonly definedAt: ReadonlyMap<ValueId, number>;
  /** Positions of the nodes that read a value, ascending. */
  readonly usedAt: ReadonlyMap<ValueId, readonly number[]>;
  readonly outputs: ReadonlySet<ValueId>;
}

const indices = new WeakMap<Graph, GraphIndex>();

/** The index of a graph. Graphs are immutable: each is indexed once. */
export function indexGraph(graph: Graph): GraphIndex {
  let index = indices.get(graph);
  if (!index) {
    index = makeIndex(graph);
    indices.set(graph, index);
  }
  return index;
}

function makeIndex(graph: Graph): GraphIndex {
  const types = new Map<ValueId, TensorType>();
  const definedAt = new Map<ValueId, number>();
  const usedAt = new Map<ValueId, number[]>();
  for (const value of graph.inputs) types.set(value.id, value);
  for (const value of graph.params) types.set(value.id, value);
  graph.nodes.forEach((node, position) => {
    for (const value of definedBy(node)) {
      types.set(value.id, value);
      definedAt.set(value.id, position);
    }
    for (const operand of operandsOf(node)) {
      const uses = usedAt.get(operand);
      if (uses === undefined) usedAt.set(operand, [position]);
      else if (uses.at(-1) !== position) uses.push(position);
    }
  });
  return { graph, types, definedAt, usedAt, outputs: new Set(graph.outputs.map(({ value }) => value)) };
}

/** Position of the last node that reads a value; Infinity for outputs, -1 for values nobody reads. */
export const lastUse = ({ usedAt, outputs }: GraphIndex, value: ValueId): number =>
  outputs.has(value) ? Number.POSITIVE_INFINITY : (usedAt.get(value)?.at(-1) ?? -1);

/** What is known of how a node reads and writes. Copies of a node share it, and so do all nodes that compute parts of one. */
interface Access {
  readonly pattern: AccessPattern | undefined;
  overwritable?: readonly number[];
  /** That of nodes of loop bodies that compute a part, by the label of the axis that is cut. */
  readonly parts: Map<AccessPattern['whole'][number], Access>;
}

const accesses = new WeakMap<OpNode, Access>();

/** The access of a node. Nodes are immutable, so it is made once. */
function accessOf(node: OpNode, types: Pick<GraphIndex['types'], 'get'>): Access {
  let known = accesses.get(node);
  if (known === undefined) {
    const operands = node.operands.map((id) => types.get(id) as TensorType);
    known = { pattern: opDef(node.op).access?.(operands, node.attrs, node), parts: new Map() };
    accesses.set(node, known);
  }
  return known;
}

/** The access pattern of a node; undefined for barriers. */
export const patternOf = (node: OpNode, types: Pick<GraphIndex['types'], 'get'>): AccessPattern | undefined =>
  accessOf(node, types).pattern;

const flows = new WeakMap<AccessPattern, Map<string, Flow | Obstacle>>();

/** What is read for a cut of a result, or of what an op contracts. Searches ask for the same cuts again and again: each is followed once. */
export function flowThrough(pattern: AccessPattern, cut: NodeCut): Flow | Obstacle {
  let known = flows.get(pattern);
  if (known === undefined) flows.set(pattern, (known = new Map()));
  const key = isContraction(cut)
    ? `${cut.contracts} ${cut.multiple}`
    : `${cut.axis} ${cut.multiple} ${cut.before ?? 0} ${cut.after ?? 0}`;
  let flow = known.get(key);
  if (flow === undefined) {
    flow = isContraction(cut) ? contract(pattern, cut) : backward(pattern, cut);
    known.set(key, flow);
  }
  return flow;
}

/**
 * The operands that a node may write its result over, if nothing else needs them: those that its op allows and whose axes
 * are those of the result, whatever their extents.
 */
export function overwritable(node: OpNode, types: Pick<GraphIndex['types'], 'get'>): readonly number[] {
  const { inPlace = [] } = opDef(node.op);
  if (inPlace.length === 0) return inPlace;
  const access = accessOf(node, types);
  const { pattern } = access;
  access.overwritable ??= inPlace.filter((i) => {
    if (i >= node.operands.length) return false;
    const type = types.get(node.operands[i] as ValueId) as TensorType;
    const axes = pattern?.operands[i];
    const alike = axes ? sameAxes(axes, pattern.output) : sameShape(type.shape, node.shape);
    return type.dtype === node.dtype && alike;
  });
  return access.overwritable;
}

const sameAxes = (a: AccessPattern['output'], b: AccessPattern['output']): boolean =>
  a.length === b.length && a.every(({ labels }, i) => labels.join() === b[i]?.labels.join());

/** The pattern of a node that was asked for before, or inherited; undefined for others. */
export const knownPattern = (node: OpNode): AccessPattern | undefined => accesses.get(node)?.pattern;

/**
 * Gives a node a pattern that holds in more cases than its shape shows: for all values of a named dimension, for one; in loops
 * whose names the shape depends on. Or none, so that no loop cuts it.
 */
export const setPattern = (node: OpNode, pattern: AccessPattern | undefined): void =>
  void accesses.set(node, { pattern, parts: new Map() });

/** Gives a copy of a node with other operands of the same types the pattern it was given, if it was given one. */
export function copyPattern(to: OpNode, from: OpNode): OpNode {
  const known = accesses.get(from);
  if (known) accesses.set(to, known);
  return to;
}

/**
 * Gives a node of a loop body what is known of the node of the graph around that it computes a part of. Its shape may
 * depend on the names of the loop, which patterns do not; the axis that the loop cuts is whole in the body: no loop
 * inside cuts it again.
 */
export function inheritPattern(node: OpNode, from: OpNode, types: GraphIndex['types'], { axis }: Cut): void {
  const { pattern, parts } = accessOf(from, types);
  const label = pattern?.output[axis]?.labels[0];
  invariant(pattern && label !== undefined, () => `${from.id} cannot be cut along axis ${axis}`);
  const part = parts.get(label) ?? {
    pattern: { ...pattern, whole: [...pattern.whole, label] },
    parts: new Map(),
  };
  parts.set(label, part);
  accesses.set(node, part);
}
