import type { LoopNode, OpNode, ValueId } from '../ir/node.ts';
import type { CostTerms, LoopReport } from '../ir/plan.ts';
import type { Program, Step } from '../ir/program.ts';
import { addCosts, addedSeconds, loopCost, NO_COST, unchunkedSeconds } from './cost.ts';
import type { State } from './state.ts';
import type { Weights } from './weights.ts';

export interface LoopSummary {
  readonly loops: readonly LoopReport[];
  readonly cost: CostTerms;
  readonly predictedSlowdown: number;
}

/** What every loop of a lowered plan is for and what it costs, against the same graph without loops. */
export function reportLoops(
  program: Program,
  unchunked: State,
  planned: State,
  weights: Weights,
): LoopSummary {
  const { types } = unchunked.index;
  const loops: LoopReport[] = [];
  let cost = NO_COST;
  let added = 0;
  for (const step of program.steps) {
    if (step.kind !== 'loop') continue;
    const { loop } = step;
    const calls = step.steps.filter((inner) => inner.kind === 'call').length;
    const nodes = regionNodes(loop, unchunked);
    const terms = loopCost(nodes, loop, calls, loop.chunkSize, types, weights);
    cost = addCosts(cost, terms);
    added += addedSeconds(loop, calls, types, weights);
    loops.push({
      id: loop.id,
      path: loop.scope,
      over: loop.over,
      axisOf: loop.results[0]?.axis ?? 0,
      extent: loop.extent,
      chunkSize: loop.chunkSize,
      chunks: Math.ceil(loop.extent / loop.chunkSize),
      depth: 0,
      kind: 'concat',
      ...savings(loop, nodes, step.steps, unchunked, planned),
      cost: terms,
    });
  }
  const seconds = unchunkedSeconds(unchunked.index.graph, types, weights);
  return { loops, cost, predictedSlowdown: seconds === 0 ? 0 : added / seconds };
}

/** The nodes of the graph without loops that a loop's body computes. */
function regionNodes(loop: LoopNode, { index }: State): OpNode[] {
  const results = new Map(loop.results.map(({ id, value }) => [value, id]));
  return loop.body.nodes.map(({ id }) => {
    const outer = results.get(id) ?? id;
    return index.graph.nodes[index.definedAt.get(outer) as number] as OpNode;
  });
}

function savings(
  loop: LoopNode,
  nodes: readonly OpNode[],
  steps: readonly Step[],
  unchunked: State,
  planned: State,
): { savesBytes: number; savesAt: ValueId } {
  const before = Math.max(
    ...nodes.map(({ id }) => unchunked.peaks[unchunked.index.definedAt.get(id) as number] ?? 0),
  );
  const [result] = loop.results;
  const after = planned.peaks[planned.index.definedAt.get(result?.id ?? '') as number] ?? 0;
  let savesAt = result?.id ?? loop.id;
  let most = 0;
  for (const step of steps) {
    if (step.kind !== 'alloc' || step.role === 'scratch') continue;
    const bytes = unchunked.sizes.get(step.value) ?? 0;
    if (bytes > most) [savesAt, most] = [step.value, bytes];
  }
  return { savesBytes: before - after, savesAt };
}
