import { type GraphIndex, indexGraph, patternOf } from '../../src/compiler/graph/graph-index.ts';
import { placeLoops } from '../../src/compiler/loops/place-loops.ts';
import type { Choice } from '../../src/compiler/loops/region.ts';
import { backward, type Cut, isObstacle, sameCut } from '../../src/ir/flow.ts';
import type { Graph, OpNode, ValueId } from '../../src/ir/node.ts';

/** A loop as a person would write it: everything of a part that leads to one result, cut along one axis of it. */
export interface HandLoop {
  /** The value that the loop gathers. */
  readonly result: ValueId;
  readonly axis: number;
  readonly chunkSize: number;
  /** Nodes that may run inside; what they need from elsewhere is computed before. */
  readonly inside: (node: OpNode) => boolean;
}

/** A specialised graph with loops written by hand, built as the compiler builds its own. */
export function placeByHand(graph: Graph, loops: readonly HandLoop[]): Graph {
  const index = indexGraph(graph);
  return placeLoops(
    graph,
    loops.map((loop) => choiceOf(index, loop)),
  );
}

function choiceOf(index: GraphIndex, { result, axis, chunkSize, inside }: HandLoop): Choice {
  const last = index.definedAt.get(result);
  if (last === undefined) throw new Error(`no node computes ${result}`);
  const wanted = new Map<ValueId, Cut>([[result, { axis, multiple: 1 }]]);
  const before = new Set<ValueId>();
  const cuts: [ValueId, Cut][] = [];
  for (let position = last; position >= 0; position--) {
    const node = index.graph.nodes[position] as OpNode;
    const cut = wanted.get(node.id);
    if (cut === undefined) continue;
    const pattern = patternOf(node, index.types);
    const flow = pattern && backward(pattern, cut);
    if (before.has(node.id) || !inside(node) || !flow || isObstacle(flow)) {
      // Runs before the loop, and so does everything it reads.
      for (const id of node.operands) {
        wanted.set(id, wanted.get(id) ?? { axis: 0, multiple: 1 });
        before.add(id);
      }
      continue;
    }
    cuts.push([node.id, cut]);
    node.operands.forEach((id, i) => {
      const read = flow.operands[i];
      const known = wanted.get(id);
      if (read === undefined || (known !== undefined && !sameCut(known, read))) before.add(id);
      wanted.set(id, known ?? read ?? { axis: 0, multiple: 1 });
    });
  }
  const extent = index.types.get(result)?.shape[axis] as number;
  return { region: { cuts: new Map(cuts.reverse()), extent }, chunkSize };
}
