import { describe, expect, it } from 'vitest';
import { COST_MODELS } from '../../src/compiler/cost/cost-models/index.ts';
import { renameValue } from '../../src/compiler/graph/derived.ts';
import { sketchLoops } from '../../src/compiler/loops/place-loops.ts';
import { type Choice, computes, renameChoice } from '../../src/compiler/loops/region.ts';
import { analyse, analyseBody, type State } from '../../src/compiler/memory/state.ts';
import { simplify } from '../../src/compiler/passes/simplify.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { searchRegions } from '../../src/compiler/search/search.ts';
import { select } from '../../src/compiler/search/select.ts';
import { type Graph, resultOf, type ValueId } from '../../src/ir/node.ts';
import { attentionGraph, GraphBuilder, mlpGraph } from '../support/graphs.ts';

const NO_CAP = Number.POSITIVE_INFINITY;
const peakOf = (graph: Graph, choices: readonly Choice[]): number =>
  analyse(sketchLoops(graph, choices), NO_CAP).peak;

/** Every legal region of a graph or loop body, wherever its peak is, with the smallest chunks. */
function allChoices({ index }: State): Choice[] {
  const choices = new Map<string, Choice>();
  const { nodes } = index.graph;
  nodes.forEach((node, position) => {
    if (node.kind === 'loop') return;
    for (const region of searchRegions(index, position, { window: nodes.length })) {
      choices.set(JSON.stringify([...region.cuts]), { region, chunkSize: 1 });
    }
  });
  return [...choices.values()];
}

/** The choices with one more loop, in every way: anywhere in the graph, and in the body of every loop. */
function extended(
  state: State,
  choices: readonly Choice[],
  names: ReadonlyMap<ValueId, ValueId> = new Map(),
): Choice[][] {
  const more = allChoices(state).map((choice) => [...choices, renameChoice(choice, names)]);
  state.index.graph.nodes.forEach((node, position) => {
    if (node.kind === 'op') return;
    const inside = new Map(names);
    for (const { id, value } of node.results) inside.set(value, renameValue(id, names));
    const result = renameValue(resultOf(node), names);
    const body = analyseBody(state, position, NO_CAP);
    choices.forEach((choice, i) => {
      if (!computes(choice.region, result)) return;
      for (const inner of extended(body, choice.inner ?? [], inside)) {
        more.push(choices.with(i, { ...choice, inner }));
      }
    });
  });
  return more;
}

/** The smallest peak of any plan of up to three loops, nested or not, that starts with one of the best of fewer loops. */
function smallestPeak(graph: Graph): number {
  let plans: { choices: Choice[]; peak: number }[] = [{ choices: [], peak: peakOf(graph, []) }];
  let smallest = plans[0]?.peak as number;
  for (let loops = 1; loops <= 3; loops++) {
    plans = plans
      .slice(0, KEPT)
      .flatMap(({ choices }) => extended(analyse(sketchLoops(graph, choices), NO_CAP), choices))
      .map((choices) => ({ choices, peak: peakOf(graph, choices) }))
      .sort((a, b) => a.peak - b.peak);
    smallest = Math.min(smallest, plans[0]?.peak ?? smallest);
  }
  return smallest;
}

/** Plans of as many loops that are extended by another. */
const KEPT = 40;

/** The outer sum of rows with themselves, a function of it, and its mean: three axes to cut. */
function outerSum(): Graph {
  const b = new GraphBuilder('outer');
  const x = b.input('x', ['N', 5]);
  const a = b.op('a', 'reshape', [x], { shape: ['N', 5, 1] });
  const c = b.op('c', 'reshape', [x], { shape: ['N', 1, 5] });
  const pairs = b.op('pairs', 'tanh', [b.op('sums', 'add', [a, c])]);
  return b.build({ y: b.op('y', 'mean', [pairs], { axis: 2, keepdims: false }) });
}

/** Two gated residual layers. */
function residualGraph(): Graph {
  const b = new GraphBuilder('residual');
  let x = b.input('x', ['N', 4]);
  for (const i of [0, 1]) {
    const h = b.op('h', 'rmsNorm', [x, b.param(`norm${i}`, [4])]);
    const up = b.op('active', 'silu', [b.op('up', 'linear', [h, b.param(`up${i}`, [24, 4])])]);
    x = b.op('x', 'add', [x, b.op('down', 'linear', [up, b.param(`down${i}`, [4, 24])])]);
  }
  return b.build({ y: x });
}

describe('the search, against trying every region', () => {
  it.each([
    ['attention', attentionGraph()],
    ['attention with many heads', attentionGraph(6, 1)],
    ['outer sums', outerSum()],
    ['mlp', mlpGraph()],
    ['residual layers', residualGraph()],
  ])('reaches the smallest peak of %s', (_name, graph) => {
    const whole = simplify(specialise(graph, { N: 9 }));
    const choices = select(whole, { budget: undefined, cap: NO_CAP, weights: COST_MODELS.cpu.weights });
    expect(peakOf(whole, choices)).toBeLessThanOrEqual(smallestPeak(whole));
  });
});
