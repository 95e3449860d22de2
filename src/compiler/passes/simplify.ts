import { type Dim, mulDims, sameShape } from '../../ir/dims.ts';
import type { Graph, Node, OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { definedBy, operandsOf } from '../../ir/node.ts';
import { splitMerged } from './split-merged.ts';

/**
 * Removes what costs nothing to remove: views of views, views that change nothing, repeated computations and values
 * that nobody uses; and takes products apart that are only ever read in slices. Survivors keep their names, scopes and source locations.
 */
export function simplify(graph: Graph): Graph {
  return splitMerged(removeDead(mergeEqual(graph)));
}

/** Reads through views and equal computations, in one sweep: operands are always final when a node is looked at. */
function mergeEqual(graph: Graph): Graph {
  const types = new Map<ValueId, TensorType>();
  for (const value of [...graph.inputs, ...graph.params]) types.set(value.id, value);
  const nodes = new Map<ValueId, OpNode>();
  const known = new Map<string, ValueId>();
  const replaced = new Map<ValueId, ValueId>();
  const final = (id: ValueId): ValueId => replaced.get(id) ?? id;
  const kept: Node[] = [];
  for (const node of graph.nodes) {
    if (node.kind === 'loop') {
      for (const result of definedBy(node)) types.set(result.id, result);
      kept.push(node);
      continue;
    }
    const read = collapseView({ ...node, operands: node.operands.map(final) }, nodes);
    types.set(node.id, read);
    const text = identity(read);
    const same = unchangedBy(read, types) ?? known.get(text);
    if (same !== undefined) {
      replaced.set(node.id, same);
      continue;
    }
    known.set(text, read.id);
    nodes.set(read.id, read);
    kept.push(read);
  }
  const outputs = graph.outputs.map(({ name, value }) => ({ name, value: final(value) }));
  return { ...graph, nodes: kept, outputs };
}

/** Two ops with the same text compute the same value. Hints keep apart what the author asked to treat differently. */
const identity = ({ op, operands, attrs, hints }: OpNode): string =>
  JSON.stringify([op, operands, Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : 1)), hints]);

/** reshape ∘ reshape and permute ∘ permute are one step. */
function collapseView(node: OpNode, nodes: ReadonlyMap<ValueId, OpNode>): OpNode {
  const before = nodes.get(node.operands[0] ?? '');
  if (before === undefined || before.op !== node.op || before.hints?.noChunk) return node;
  if (node.op === 'reshape') return { ...node, operands: before.operands };
  if (node.op === 'permute') {
    const first = before.attrs.axes as readonly Dim[];
    const axes = (node.attrs.axes as readonly number[]).map((axis) => first[axis] as Dim);
    return { ...node, operands: before.operands, attrs: { ...node.attrs, axes } };
  }
  return node;
}

/** The operand, for a view that shows exactly what its operand is. */
function unchangedBy(node: OpNode, types: ReadonlyMap<ValueId, TensorType>): ValueId | undefined {
  const [id] = node.operands;
  const operand = id === undefined ? undefined : types.get(id);
  if (operand === undefined) return undefined;
  const same = sameShape(node.shape, operand.shape);
  const nothing =
    ((node.op === 'reshape' || node.op === 'expand') && same) ||
    (node.op === 'permute' && (node.attrs.axes as readonly Dim[]).every((axis, i) => axis === i)) ||
    (node.op === 'slice' && same && mulDims(1, node.attrs.start as Dim) === 0);
  return nothing ? id : undefined;
}

function removeDead(graph: Graph): Graph {
  const live = new Set(graph.outputs.map((output) => output.value));
  const kept: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    const used = definedBy(node).some(({ id }) => live.has(id));
    if (!used) continue;
    for (const operand of operandsOf(node)) live.add(operand);
    kept.push(node);
  }
  return kept.length === graph.nodes.length ? graph : { ...graph, nodes: kept.reverse() };
}
