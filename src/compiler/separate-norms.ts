import { type Dim, divDims } from '../ir/dims.ts';
import type { Graph, Node, OpNode } from '../ir/node.ts';
import { freshNames } from './names.ts';

/**
 * Takes group normalisations apart into the moments of the groups and what is done with them: the first can be computed in
 * parts of an image, the second for a part. The same kernels in the same order: results keep their bits. Nodes that the
 * author keeps whole stay.
 */
export function separateNorms(graph: Graph): Graph {
  if (!graph.nodes.some(isSeparable)) return graph;
  const fresh = freshNames(graph);
  const nodes = graph.nodes.flatMap((node): readonly Node[] =>
    isSeparable(node) ? separated(node, fresh) : [node],
  );
  return { ...graph, nodes };
}

const isSeparable = (node: Node): node is OpNode =>
  node.kind === 'op' && node.op === 'groupNorm' && !node.hints?.noChunk && node.shape.length > 2;

function separated(node: OpNode, fresh: (wish: string) => string): OpNode[] {
  const [x, ...parameters] = node.operands as [string, string, string];
  const { channelsPerGroup, epsilon } = node.attrs as { channelsPerGroup: number; epsilon: number };
  const [batch, channels] = node.shape as readonly [Dim, Dim];
  const { symbolic: _, ...rest } = node;
  const moments: OpNode = {
    ...rest,
    id: fresh(`${node.id}_moments`),
    op: 'groupMoments',
    operands: [x],
    attrs: { channelsPerGroup },
    shape: [batch, divDims(channels, channelsPerGroup) as Dim, 3],
  };
  const operands = [x, moments.id, ...parameters];
  return [moments, { ...node, op: 'groupNormalise', operands, attrs: { channelsPerGroup, epsilon } }];
}
