import { renameValue } from '../compiler/graph/derived.ts';
import { sketchLoops } from '../compiler/loops/place-loops.ts';
import { type Choice, computes, renameChoice } from '../compiler/loops/region.ts';
import { analyse, analyseBody, type State } from '../compiler/memory/state.ts';
import { searchRegions } from '../compiler/search/search.ts';
import { type Graph, resultOf, type ValueId } from '../ir/node.ts';

/** Numbers that pick where a loop goes, which legal region it takes there, and its chunk size. */
export type LoopPick = readonly [at: number, which: number, size: number];

/**
 * Any legal loops, good or bad: one per pick, around a region of the graph or inside the body of an earlier loop. A pick
 * that finds no region is passed over, so that every list of numbers is a plan. For `plan(graph, { choose })`.
 */
export function legalLoops(graph: Graph, picks: readonly LoopPick[]): Choice[] {
  let choices: Choice[] = [];
  for (const pick of picks) {
    const state = analyse(sketchLoops(graph, choices), Number.POSITIVE_INFINITY);
    choices = withLoop(state, choices, new Map(), pick);
  }
  return choices;
}

function withLoop(
  state: State,
  choices: readonly Choice[],
  names: ReadonlyMap<ValueId, ValueId>,
  [at, which, size]: LoopPick,
): Choice[] {
  const { nodes } = state.index.graph;
  if (nodes.length === 0) return [...choices];
  const loops = nodes.flatMap((node, position) => (node.kind === 'loop' ? [position] : []));
  const position =
    at % 2 === 0 && loops.length > 0 ? (loops[at % loops.length] as number) : at % nodes.length;
  const node = nodes[position];
  if (node?.kind === 'loop') {
    const inside = new Map(names);
    for (const { id, value } of node.results) inside.set(value, renameValue(id, names));
    const first = renameValue(resultOf(node), names);
    const body = analyseBody(state, position, Number.POSITIVE_INFINITY);
    return choices.map((choice) => {
      if (!computes(choice.region, first)) return choice;
      const inner = withLoop(body, choice.inner ?? [], inside, [which, size, at >> 1]);
      return inner.length > 0 ? { ...choice, inner } : choice;
    });
  }
  const regions = searchRegions(state.index, position, { window: 30, splitReductions: true });
  const region = regions[which % Math.max(1, regions.length)];
  if (!region) return [...choices];
  return [...choices, renameChoice({ region, chunkSize: 1 + (size % (region.extent - 1)) }, names)];
}
