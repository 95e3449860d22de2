import { type GraphIndex, patternOf } from '../compiler/graph/graph-index.ts';
import { arrange, type Region } from '../compiler/loops/region.ts';
import { regionKey } from '../compiler/search/family.ts';
import { type SearchOptions, searchRegions } from '../compiler/search/search.ts';
import { backward, type Cut, forward, isObstacle, sameCut } from '../ir/flow.ts';
import type { Node, OpNode, ValueId } from '../ir/node.ts';

/**
 * Every legal region of a small graph or loop body: what the search finds around any node and, however they come about,
 * all connected convex sets of nodes with cuts that agree.
 */
export function everyRegion(
  index: GraphIndex,
  options: Pick<SearchOptions, 'splitReductions'> = {},
): Region[] {
  const regions = new Map<string, Region>();
  const { nodes } = index.graph;
  nodes.forEach((node, position) => {
    if (node.kind === 'loop') return;
    for (const region of searchRegions(index, position, { ...options, window: nodes.length })) {
      if (arrange(index, region)) regions.set(regionKey(region), region);
    }
  });
  for (const region of connectedRegions(index)) regions.set(regionKey(region), region);
  return [...regions.values()];
}

type Cuts = ReadonlyMap<ValueId, Cut>;

/** All that grows out of one node by one neighbour after another. */
function connectedRegions(index: GraphIndex): Region[] {
  const regions: Region[] = [];
  const seen = new Set<string>();
  const at = (id: ValueId): number => index.definedAt.get(id) as number;
  const grow = (grown: Cuts, extent: number): void => {
    const cuts = new Map([...grown].sort(([a], [b]) => at(a) - at(b)));
    const key = [...cuts].map(([id, { axis, multiple }]) => `${id} ${axis} ${multiple}`).join(', ');
    if (seen.has(key)) return;
    seen.add(key);
    const region = { cuts, extent };
    if (arrange(index, region)) regions.push(region);
    for (const [id, cut] of neighbours(index, cuts)) {
      if (agrees(index, cuts, id, cut)) grow(new Map([...cuts, [id, cut]]), extent);
    }
  };
  for (const node of index.graph.nodes) {
    if (node.kind === 'loop') continue;
    for (const [axis, dim] of node.shape.entries()) {
      const cut = { axis, multiple: 1 };
      if ((dim as number) > 1 && agrees(index, new Map(), node.id, cut))
        grow(new Map([[node.id, cut]]), dim as number);
    }
  }
  return regions;
}

/** The nodes that read values of a region or compute what it reads, each with the cut that would go on there. */
function neighbours(index: GraphIndex, cuts: Cuts): [ValueId, Cut][] {
  const found: [ValueId, Cut][] = [];
  for (const [id, cut] of cuts) {
    const node = opAt(index, index.definedAt.get(id)) as OpNode;
    const reads = readsOf(index, node, cut) ?? [];
    node.operands.forEach((operand, i) => {
      const read = reads[i];
      if (read && !cuts.has(operand)) found.push([operand, read]);
    });
    for (const position of index.usedAt.get(id) ?? []) {
      const user = opAt(index, position);
      const pattern = user && patternOf(user, index.types);
      if (!user || !pattern || cuts.has(user.id)) continue;
      const onward = forward(pattern, user.operands.indexOf(id), cut);
      if (!isObstacle(onward)) found.push([user.id, onward]);
    }
  }
  return found;
}

/** Can a node be cut so, and do those around it in the region read and compute just that? */
function agrees(index: GraphIndex, cuts: Cuts, id: ValueId, cut: Cut): boolean {
  const node = opAt(index, index.definedAt.get(id));
  const reads = node && readsOf(index, node, cut);
  if (
    !reads ||
    !node.operands.every((operand, i) => !cuts.has(operand) || sameCut(cuts.get(operand), reads[i]))
  )
    return false;
  return (index.usedAt.get(id) ?? []).every((position) => {
    const user = opAt(index, position);
    const userCut = user && cuts.get(user.id);
    if (!userCut) return true;
    const userReads = readsOf(index, user, userCut) as readonly (Cut | undefined)[];
    return user.operands.every((operand, i) => operand !== id || sameCut(cut, userReads[i]));
  });
}

function readsOf(index: GraphIndex, node: OpNode, cut: Cut): readonly (Cut | undefined)[] | undefined {
  const pattern = node.hints?.noChunk ? undefined : patternOf(node, index.types);
  const flow = pattern && backward(pattern, cut);
  return flow && !isObstacle(flow) ? flow.operands : undefined;
}

function opAt({ graph }: GraphIndex, position: number | undefined): OpNode | undefined {
  const node: Node | undefined = graph.nodes[position ?? -1];
  return node?.kind === 'op' ? node : undefined;
}
