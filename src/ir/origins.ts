import type { Graph, OpNode, TensorType, ValueId } from './node.ts';
import { opDef } from './ops/index.ts';
import type { AccessPattern, AxisTerm } from './pattern.ts';

/** An axis of a graph input or a parameter. */
export interface AxisOrigin {
  readonly kind: 'input' | 'param';
  readonly id: ValueId;
  readonly axis: number;
}

/** For every axis of a value, the axes it comes from; none for an axis that starts in the model (`iota`, `expand`). */
export type ValueOrigins = readonly (readonly AxisOrigin[])[];

/**
 * Where every axis of every value comes from, loop bodies included, derived from the access patterns alone: an output axis
 * comes from each operand axis it shares a label with. Inputs stand before parameters, each in order of declaration.
 */
export function axisOrigins(graph: Graph): ReadonlyMap<ValueId, ValueOrigins> {
  const origins = new Map<ValueId, ValueOrigins>();
  const types = new Map<ValueId, TensorType>();
  const sources = [
    ...graph.inputs.map((value) => ({ kind: 'input' as const, value })),
    ...graph.params.map((value) => ({ kind: 'param' as const, value })),
  ];
  const rank = new Map<ValueId, number>();
  sources.forEach(({ kind, value }, index) => {
    rank.set(value.id, index);
    types.set(value.id, value);
    origins.set(
      value.id,
      value.shape.map((_, axis) => [{ kind, id: value.id, axis }]),
    );
  });
  const sorted = (found: Iterable<AxisOrigin>): AxisOrigin[] =>
    [...found].sort((a, b) => (rank.get(a.id) as number) - (rank.get(b.id) as number) || a.axis - b.axis);
  visit(graph, origins, types, sorted);
  return origins;
}

function visit(
  graph: Graph,
  origins: Map<ValueId, ValueOrigins>,
  types: Map<ValueId, TensorType>,
  sorted: (found: Iterable<AxisOrigin>) => AxisOrigin[],
): void {
  for (const node of graph.nodes) {
    if (node.kind === 'op') {
      types.set(node.id, node);
      origins.set(node.id, ofOp(node, origins, types).map(sorted));
      continue;
    }
    for (const { as, operand } of node.slices) origins.set(as, origins.get(operand) as ValueOrigins);
    for (const { as, shape } of node.carries) {
      origins.set(
        as,
        shape.map(() => []),
      );
    }
    for (const input of node.body.inputs) types.set(input.id, input);
    visit(node.body, origins, types, sorted);
    for (const result of [...node.results, ...node.carries]) {
      types.set(result.id, result);
      origins.set(result.id, origins.get(result.value) as ValueOrigins);
    }
  }
}

/** Unsorted origins of an op's axes. */
function ofOp(
  node: OpNode,
  origins: ReadonlyMap<ValueId, ValueOrigins>,
  types: ReadonlyMap<ValueId, TensorType>,
): ReadonlySet<AxisOrigin>[] {
  const operandTypes = node.operands.map((id) => types.get(id) as TensorType);
  const pattern = opDef(node.op).access?.(operandTypes, node.attrs, node);
  if (!pattern) return node.shape.map(() => new Set());
  const kept = new Set(pattern.output.flatMap((term) => term.labels));
  return pattern.output.map((term, axis) => {
    const found = new Map<string, AxisOrigin>();
    pattern.operands.forEach((operand, index) => {
      const sources = origins.get(node.operands[index] as ValueId) as ValueOrigins;
      operand.forEach((from, at) => {
        const shared = from.labels.some((label) => term.labels.includes(label));
        // A slice names its axis anew: the label that ends there is the one it continues.
        const continued =
          at === axis && isNew(term, pattern.operands) && from.labels.some((label) => !kept.has(label));
        if (!shared && !continued) return;
        for (const origin of sources[at] ?? []) found.set(`${origin.id} ${origin.axis}`, origin);
      });
    });
    return new Set(found.values());
  });
}

const isNew = (term: AxisTerm, operands: AccessPattern['operands']): boolean =>
  term.labels.length > 0 &&
  operands.every((axes) => axes.every((axis) => !axis.labels.some((label) => term.labels.includes(label))));
