import { type Contraction, type Cut, isContraction, type NodeCut } from '../../ir/flow.ts';
import type { Node, OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { AccessPattern, AxisTerm } from '../../ir/pattern.ts';
import { type GraphIndex, patternOf } from '../graph/graph-index.ts';

export type Cuts = ReadonlyMap<ValueId, NodeCut>;

/**
 * Is a node softmax in streaming form: cut along the axis that it needs whole? Its iterations make exponentials less the
 * largest score so far (Milakov & Gimelshein 2018, algorithm 3); who adds them up divides in the end (Rabe & Staats 2021).
 */
export const isStreamed = (node: Node, cut: NodeCut | undefined): cut is Cut =>
  node.kind === 'op' &&
  node.op === 'softmax' &&
  cut !== undefined &&
  !isContraction(cut) &&
  cut.axis === node.attrs.axis;

/** A contraction that adds up what softmax gives, and the views in between, first the one of softmax itself. */
export interface Stream {
  readonly softmax: OpNode;
  readonly views: readonly OpNode[];
  /** Which operand of the contraction it is. */
  readonly operand: number;
}

/** What a contraction of a region adds up, where that is softmax in streaming form. */
export function streamInto(index: GraphIndex, cuts: Cuts, node: OpNode): Stream | undefined {
  for (const [operand, id] of node.operands.entries()) {
    const views: OpNode[] = [];
    for (let at: ValueId | undefined = id; at !== undefined && cuts.has(at); ) {
      const source: Node | undefined = index.graph.nodes[index.definedAt.get(at) ?? -1];
      if (source?.kind !== 'op') break;
      if (isStreamed(source, cuts.get(at))) return { softmax: source, views: views.reverse(), operand };
      if (source.op !== 'permute' && source.op !== 'reshape') break;
      views.push(source);
      at = source.operands[0];
    }
  }
  return undefined;
}

/** Are the parts of a contraction added up? Only a sum may be scaled afterwards, as what is streamed is. */
function isAddedUp(
  { op, operands, attrs }: OpNode,
  { contracts }: Contraction,
  { types }: GraphIndex,
): boolean {
  const read = operands.map((id) => types.get(id) as TensorType);
  return opDef(op).split?.(read, attrs, contracts)?.combine === 'add';
}

/**
 * Can softmax be cut along its own axis? All that reads it must be one sum over that axis, through views that leave the axis as
 * it is, and everything else about softmax (its rows) must be an axis of the sum.
 */
export function canStream(index: GraphIndex, cuts: Cuts, softmax: OpNode): boolean {
  let at: OpNode = softmax;
  for (;;) {
    const users = index.usedAt.get(at.id) ?? [];
    const user = index.graph.nodes[users[0] ?? -1];
    if (users.length !== 1 || user?.kind !== 'op' || index.outputs.has(at.id)) return false;
    const cut = cuts.get(user.id);
    if (cut === undefined) return false;
    if (isContraction(cut)) {
      const stream = streamInto(index, cuts, user);
      const pattern = patternOf(user, index.types);
      const once = user.operands.filter((id) => id === at.id).length === 1;
      return (
        once &&
        isAddedUp(user, cut, index) &&
        stream !== undefined &&
        pattern !== undefined &&
        rowsOf(pattern, stream.operand, cut) !== undefined
      );
    }
    if (user.op !== 'permute' && user.op !== 'reshape') return false;
    const pattern = patternOf(user, index.types);
    const before = cuts.get(at.id) as Cut;
    const plain = (axes: readonly AxisTerm[] | undefined, { axis }: Cut): boolean =>
      axes?.[axis]?.labels.length === 1;
    if (!plain(pattern?.operands[0], before) || !plain(pattern?.output, cut)) return false;
    at = user;
  }
}

/** For every axis of a contraction's result the axis of one operand with the same label; undefined where the operand is summed over more. */
export function rowsOf(
  pattern: AccessPattern,
  operand: number,
  { contracts }: Contraction,
): (number | undefined)[] | undefined {
  const axes = pattern.operands[operand] as readonly AxisTerm[];
  const labels = axes.flatMap(({ labels }) => labels).filter((label) => label !== contracts);
  const plain = [...axes, ...pattern.output].every(({ labels, window }) => labels.length <= 1 && !window);
  const kept = new Set(pattern.output.flatMap(({ labels }) => labels));
  if (!plain || labels.some((label) => !kept.has(label))) return undefined;
  return pattern.output.map(({ labels: [label] }) => {
    const at = axes.findIndex(({ labels }) => label !== undefined && labels[0] === label);
    return at < 0 ? undefined : at;
  });
}
