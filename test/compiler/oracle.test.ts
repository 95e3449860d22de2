import { describe, expect, it } from 'vitest';
import { type Choice, sketchLoops } from '../../src/compiler/region.ts';
import { searchRegions } from '../../src/compiler/search.ts';
import { select } from '../../src/compiler/select.ts';
import { simplify } from '../../src/compiler/simplify.ts';
import { specialise } from '../../src/compiler/specialise.ts';
import { analyse } from '../../src/compiler/state.ts';
import { WEIGHTS } from '../../src/compiler/weights.ts';
import type { Graph } from '../../src/ir/node.ts';
import { attentionGraph, GraphBuilder, mlpGraph } from '../support/graphs.ts';

const NO_CAP = Number.POSITIVE_INFINITY;
const peakOf = (graph: Graph, choices: readonly Choice[]): number =>
  analyse(sketchLoops(graph, choices), NO_CAP).peak;

/** Every legal region of a graph, wherever its peak is, with the smallest chunks. */
function allChoices(graph: Graph): Choice[] {
  const { index } = analyse(graph, NO_CAP);
  const choices = new Map<string, Choice>();
  graph.nodes.forEach((node, position) => {
    if (node.kind === 'loop') return;
    for (const region of searchRegions(index, position, { window: graph.nodes.length })) {
      choices.set(JSON.stringify([...region.cuts]), { region, chunkSize: 1 });
    }
  });
  return [...choices.values()];
}

/** The smallest peak of any plan of up to three loops that starts with one of the sixty best single loops. */
function smallestPeak(graph: Graph): number {
  let plans: { choices: Choice[]; peak: number }[] = [{ choices: [], peak: peakOf(graph, []) }];
  let smallest = plans[0]?.peak as number;
  for (let loops = 1; loops <= 3; loops++) {
    plans = plans
      .slice(0, 60)
      .flatMap(({ choices }) =>
        allChoices(sketchLoops(graph, choices)).map((choice) => {
          const extended = [...choices, choice];
          return { choices: extended, peak: peakOf(graph, extended) };
        }),
      )
      .sort((a, b) => a.peak - b.peak);
    smallest = Math.min(smallest, plans[0]?.peak ?? smallest);
  }
  return smallest;
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
    ['mlp', mlpGraph()],
    ['residual layers', residualGraph()],
  ])('reaches the smallest peak of %s', (_name, graph) => {
    const whole = simplify(specialise(graph, { N: 9 }));
    const choices = select(whole, { budget: undefined, cap: NO_CAP, weights: WEIGHTS.cpu });
    expect(peakOf(whole, choices)).toBeLessThanOrEqual(smallestPeak(whole));
  });
});
