import { definedBy, type Node } from '../../ir/node.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import type { Region } from './region.ts';

/**
 * Can loops stand over all of these regions at once? Each may be convex by itself, and two of them still wait for each other: the
 * graph with one node in place of every region must have no cycle.
 */
export function areConvexTogether(index: GraphIndex, regions: readonly Region[]): boolean {
  const { graph, definedAt, usedAt } = index;
  if (lieApart(index, regions)) return true;
  const { nodes } = graph;
  const group = nodes.map((_, position) => position);
  const members = nodes.map((_, position) => [position]);
  for (const { cuts } of regions) {
    const positions = [...cuts.keys()].map((id) => definedAt.get(id) as number);
    const [first = 0] = positions;
    for (const position of positions) group[position] = first;
    members[first] = positions;
  }
  // Kahn's algorithm: what waits for nothing is taken away, again and again.
  const waitsFor = nodes.map(() => 0);
  const edges = (position: number): number[] =>
    definedBy(nodes[position] as Node)
      .flatMap(({ id }) => usedAt.get(id) ?? [])
      .map((user) => group[user] as number)
      .filter((user) => user !== group[position]);
  for (const position of nodes.keys())
    for (const user of edges(position)) waitsFor[user] = (waitsFor[user] as number) + 1;
  const ready = [...nodes.keys()].filter((at) => group[at] === at && waitsFor[at] === 0);
  for (const one of ready) {
    for (const user of (members[one] as number[]).flatMap(edges)) {
      waitsFor[user] = (waitsFor[user] as number) - 1;
      if (waitsFor[user] === 0) ready.push(user);
    }
  }
  return ready.length === new Set(group).size;
}

/** Regions one behind another never wait for each other. */
function lieApart({ definedAt }: GraphIndex, regions: readonly Region[]): boolean {
  const spans = regions.map(({ cuts }) => {
    const positions = [...cuts.keys()].map((id) => definedAt.get(id) as number);
    return [Math.min(...positions), Math.max(...positions)] as const;
  });
  spans.sort(([a], [b]) => a - b);
  return spans.every(([first], i) => i === 0 || first > (spans[i - 1] as readonly [number, number])[1]);
}
