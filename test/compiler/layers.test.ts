import { describe, expect, it } from 'vitest';
import { parseBudget } from '../../src/compiler/budget.ts';
import { COST_MODELS } from '../../src/compiler/cost/cost-models/index.ts';
import { shortenLayers } from '../../src/compiler/graph/layers.ts';
import { sketchLoops } from '../../src/compiler/loops/place-loops.ts';
import type { Choice } from '../../src/compiler/loops/region.ts';
import { analyse } from '../../src/compiler/memory/state.ts';
import { simplify } from '../../src/compiler/passes/simplify.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { select } from '../../src/compiler/search/select.ts';
import type { Graph } from '../../src/ir/node.ts';
import { verify } from '../../src/ir/verify.ts';
import { GraphBuilder, gptGraph } from '../support/graphs.ts';

const NO_CAP = Number.POSITIVE_INFINITY;
const gpt = (layers: number): Graph =>
  simplify(specialise(gptGraph({ layers, width: 8, heads: 2, vocabulary: 11, headless: true }), { N: 24 }));
const choose = (graph: Graph): Choice[] =>
  select(graph, { budget: undefined, cap: NO_CAP, weights: COST_MODELS.cpu.weights });
const peakOf = (graph: Graph, choices: readonly Choice[]): number =>
  analyse(sketchLoops(graph, choices), NO_CAP).peak;

describe('a deep model of equal layers', () => {
  it('is searched in a few of them: the plan for all has the same peak', () => {
    const whole = gpt(12);
    const shortened = shortenLayers(whole);
    expect(shortened).toHaveLength(2);
    for (const { graph, expand } of shortened) {
      expect(graph.nodes.length).toBeLessThan(whole.nodes.length / 2);
      verify(graph);
      const few = choose(graph);
      const all = expand(few) as Choice[];
      expect(all.length).toBeGreaterThan(few.length);
      expect(peakOf(whole, all)).toBe(peakOf(graph, few));
    }
  });

  it('is as full in one layer as in all: what all of them read lives on, donated or not', () => {
    const b = new GraphBuilder('gated');
    const mask = b.input('mask', ['N', 4]);
    const gate = b.op('gate', 'sigmoid', [mask]);
    let x = b.input('x', ['N', 4]);
    for (let layer = 0; layer < 9; layer++) {
      // They are read before the layer is fullest: in the last one they are dead by then.
      const gated = b.op('gated', 'mul', [x, gate]);
      const masked = b.op('masked', 'mul', [gated, mask]);
      const wide = b.op('wide', 'linear', [masked, b.param(`up${layer}`, [16, 4])]);
      x = b.op('narrow', 'linear', [wide, b.param(`down${layer}`, [4, 16])]);
    }
    const graph = specialise(b.build({ y: x }), { N: 32 });
    for (const donated of [false, true]) {
      const whole = { ...graph, inputs: graph.inputs.map((input) => ({ ...input, donated })) };
      for (const { graph: short } of shortenLayers(whole)) expect(peakOf(short, [])).toBe(peakOf(whole, []));
    }
  });

  it('has the loops of a shallow one in every layer', () => {
    const loops = (layers: number): number => {
      const graph = gptGraph({ layers, width: 8, heads: 2, vocabulary: 11, headless: true });
      return plan(graph, { dims: { N: 24 }, budget: parseBudget('40%'), backend: 'cpu' }).loops.length;
    };
    expect(loops(16)).toBe(4 * loops(4));
  });

  it('is not shortened when layers read more than the one before', () => {
    const chain = (skip: boolean): Graph => {
      const b = new GraphBuilder('chain');
      let x = b.input('x', ['N', 4]);
      const outputs: string[] = [];
      for (let layer = 0; layer < 9; layer++) {
        x = b.op('h', 'tanh', [b.op('up', 'linear', [x, b.param(`w${layer}`, [4, 4])])]);
        outputs.push(x);
      }
      const early = outputs[3] as string;
      return specialise(b.build({ y: skip ? b.op('y', 'add', [x, early]) : x }), { N: 6 });
    };
    for (const { graph } of shortenLayers(chain(false))) expect(graph.nodes.length).toBeLessThan(18);
    expect(shortenLayers(chain(false))).toHaveLength(2);
    expect(shortenLayers(chain(true))).toEqual([]);
    expect(shortenLayers(gpt(3))).toEqual([]);
  });
});
