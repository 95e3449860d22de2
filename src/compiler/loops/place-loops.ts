import { invariant } from '../../errors.ts';
import { definedBy, type Graph, type Node, type OpNode, type ValueId } from '../../ir/node.ts';
import { type GraphIndex, indexGraph } from '../graph/graph-index.ts';
import { freshNames, loopNames, numbered } from '../graph/names.ts';
import { type Built, buildLoop } from './build-loop.ts';
import { arrangeAt, type Choice, overName, type Region } from './region.ts';

/** The graph with a loop in place of every chosen region. Loops are numbered in execution order. */
export function placeLoops(graph: Graph, choices: readonly Choice[]): Graph {
  const fresh = freshNames(graph);
  const build: BuildLoop = (index, choice, inside) => {
    const names = { id: fresh('loop'), ...loopNames(overName(choice.region, inside), fresh), fresh };
    return buildLoop(index, choice, inside, (body, inner) => replaceRegions(body, inner, build), names);
  };
  let count = 0;
  return numberLoops(replaceRegions(graph, choices, build), () => `loop${++count}`);
}

/** Like {@link placeLoops}, for measuring only: loop bodies show a full iteration, in numbers. */
export const sketchLoops = (graph: Graph, choices: readonly Choice[]): Graph =>
  replaceRegions(graph, choices, sketchLoop);

/** The loop of a choice as a full iteration sees it, in numbers. Names are no identifiers: nothing else has them. */
export function sketchLoop(index: GraphIndex, choice: Choice, inside: readonly OpNode[]): Built {
  const { region, chunkSize, inner } = choice;
  const known = sketches.get(region);
  if (known?.built.loop.chunkSize === chunkSize && known.inner === inner) return known.built;
  // A body is named after the graph around it, and its values after the body: names differ from those of loops around.
  const id = `${index.graph.name}'`;
  const names = { id, start: 'sketch_start', length: 'sketch_length', fresh: numbered(id) };
  const built = buildLoop(index, choice, inside, sketchLoops, names, true);
  sketches.set(region, { built, inner });
  return built;
}

/** The last sketch of every region: the search looks at the same choice in many combinations. */
const sketches = new WeakMap<Region, { built: Built; inner: Choice['inner'] }>();

type BuildLoop = (index: GraphIndex, choice: Choice, inside: readonly OpNode[]) => Built;

function replaceRegions(graph: Graph, choices: readonly Choice[], build: BuildLoop): Graph {
  if (choices.length === 0) return graph;
  // Loops keep the ids of the values they compute: who reads what stays as it is in the graph without loops.
  const index = indexGraph(graph);
  const firstOf = ({ region }: Choice): number =>
    index.definedAt.get([...region.cuts.keys()][0] as ValueId) ?? 0;
  /** At every position what stands there: a node, or a loop with what finishes what it carries, or nothing. */
  const nodes: (Node | readonly Node[])[] = [...graph.nodes];
  const moved = new Map<ValueId, number>();
  const positionOf = (id: ValueId): number => moved.get(id) ?? (index.definedAt.get(id) as number);
  for (const choice of [...choices].sort((a, b) => firstOf(a) - firstOf(b))) {
    const arrangement = arrangeAt(
      (first, last) => nodes.slice(first, last + 1).flat(),
      positionOf,
      choice.region,
    );
    invariant(arrangement !== undefined, 'a chosen region is not convex');
    const { first, last, before, inside, after } = arrangement;
    const { loop, finish } = build(index, choice, inside);
    const order = [...before, [loop, ...finish], ...after];
    for (let position = first; position <= last; position++) {
      const placed = order[position - first] ?? [];
      nodes[position] = placed;
      for (const node of 'kind' in placed ? [placed] : placed)
        for (const { id } of definedBy(node)) moved.set(id, position);
    }
  }
  return { ...graph, nodes: nodes.flat() };
}

function numberLoops(graph: Graph, next: () => string): Graph {
  const nodes = graph.nodes.map((node) => {
    if (node.kind === 'op') return node;
    const id = next();
    return { ...node, id, body: { ...numberLoops(node.body, next), name: id } };
  });
  return { ...graph, nodes };
}
