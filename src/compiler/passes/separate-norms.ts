import { type Dim, divDims } from '../../ir/dims.ts';
import type { Graph, Node, OpNode, ValueId } from '../../ir/node.ts';
import { freshNames } from '../graph/names.ts';
import { bytesOf } from '../memory/estimate.ts';

/** Layer normalisation is taken apart where a row of it is this share of the largest value or more. */
const LARGE_ROW = 1 / 16;

/**
 * Takes normalisations apart into the moments of groups or rows and what is done with them: the first can be computed in
 * parts, the second for a part. For groups these are the same kernels in the same order: results keep their bits. Nodes that
 * the author keeps whole stay, and so do layer normalisations of small rows, which loops cut row by row, or of all where
 * reductions are not split.
 */
export function separateNorms(graph: Graph, { splitReductions = true } = {}): Graph {
  const ops = graph.nodes.filter((node): node is OpNode => node.kind === 'op');
  const largest = ops.reduce((most, { shape }) => Math.max(most, bytesOf(shape, {})), 0);
  const isSeparable = (node: Node): node is OpNode =>
    node.kind === 'op' &&
    !node.hints?.noChunk &&
    ((node.op === 'groupNorm' && node.shape.length > 2) ||
      (splitReductions &&
        node.op === 'layerNorm' &&
        bytesOf(node.shape.slice(-1), {}) >= LARGE_ROW * largest));
  if (!ops.some(isSeparable)) return graph;
  const fresh = freshNames(graph);
  const nodes = graph.nodes.flatMap((node): readonly Node[] =>
    isSeparable(node) ? separated(node, fresh(`${node.id}_moments`)) : [node],
  );
  return { ...graph, nodes };
}

function separated(node: OpNode, id: ValueId): OpNode[] {
  const [x, ...parameters] = node.operands as [ValueId, ValueId, ValueId];
  const { symbolic: _, ...rest } = node;
  const moments: OpNode = { ...rest, id, operands: [x], ...momentsOf(node) };
  const op = node.op === 'groupNorm' ? 'groupNormalise' : 'layerNormalise';
  return [moments, { ...node, op, operands: [x, id, ...parameters] }];
}

/** The op that makes the moments that a normalisation goes by. */
function momentsOf({ op, attrs, shape }: OpNode): Pick<OpNode, 'op' | 'attrs' | 'shape'> {
  if (op === 'layerNorm') return { op: 'layerMoments', attrs: {}, shape: [...shape.slice(0, -1), 3] };
  const { channelsPerGroup } = attrs as { channelsPerGroup: number };
  const [batch, channels] = shape as readonly [Dim, Dim];
  return {
    op: 'groupMoments',
    attrs: { channelsPerGroup },
    shape: [batch, divDims(channels, channelsPerGroup) as Dim, 3],
  };
}
