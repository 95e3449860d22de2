import type { Graph, OpNode, ValueId } from '../../src/ir/node.ts';
import { numberAttr } from '../../src/ir/ops/support.ts';

/** softmax(queries · keysTransposed + biases) · values, as a graph has it. */
export interface Attention {
  /** [..., heads, N, channels], scaled already. */
  readonly queries: ValueId;
  /** [..., heads, channels, M]. */
  readonly keysTransposed: ValueId;
  /** [..., heads, M, channels]. */
  readonly values: ValueId;
  /** What is added to the scores, in order. */
  readonly biases: readonly ValueId[];
  readonly causal: boolean;
  /** The nodes that a fused op replaces, but for the last product. */
  readonly inside: readonly ValueId[];
}

/** The attentions of a graph whose scores nothing else needs, by the value that the last product computes. */
export function findAttentions(graph: Graph): ReadonlyMap<ValueId, Attention> {
  const nodes = new Map(
    graph.nodes.flatMap((node) => (node.kind === 'op' ? [[node.id, node] as const] : [])),
  );
  const uses = new Map<ValueId, number>();
  for (const { operands } of nodes.values())
    for (const operand of operands) uses.set(operand, (uses.get(operand) ?? 0) + 1);
  for (const { value } of graph.outputs) uses.set(value, (uses.get(value) ?? 0) + 1);
  const onlyHere = (id: ValueId | undefined, op: string): OpNode | undefined => {
    const node = id === undefined ? undefined : nodes.get(id);
    return node?.op === op && uses.get(node.id) === 1 ? node : undefined;
  };

  const found = new Map<ValueId, Attention>();
  for (const product of nodes.values()) {
    if (product.op !== 'matmul') continue;
    const weights = onlyHere(product.operands[0], 'softmax');
    if (!weights || numberAttr(weights.attrs, 'axis') !== weights.shape.length - 1) continue;
    const inside = [weights.id];
    const biases: ValueId[] = [];
    let at = weights.operands[0];
    const mask = onlyHere(at, 'causalMask');
    if (mask) {
      inside.push(mask.id);
      at = mask.operands[0];
    }
    for (let sum = onlyHere(at, 'add'); sum; sum = onlyHere(at, 'add')) {
      inside.push(sum.id);
      biases.unshift(sum.operands[1] as ValueId);
      at = sum.operands[0];
    }
    const scores = onlyHere(at, 'matmul');
    if (!scores) continue;
    inside.push(scores.id);
    const [queries, keysTransposed] = scores.operands as readonly [ValueId, ValueId];
    found.set(product.id, {
      queries,
      keysTransposed,
      values: product.operands[1] as ValueId,
      biases,
      causal: mask !== undefined,
      inside,
    });
  }
  return found;
}
