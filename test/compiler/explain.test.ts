import { describe, expect, it } from 'vitest';
import { parseBudget } from '../../src/compiler/budget.ts';
import { type Explanation, explain } from '../../src/compiler/explain.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import type { Graph } from '../../src/ir/node.ts';
import { describeExplanation, explanationJson } from '../../src/report/explain.ts';
import { attentionGraph, GraphBuilder, gptGraph } from '../support/graphs.ts';

const of = (graph: Graph, n: number, budget: string, ...names: string[]): Explanation =>
  explain(graph, { dims: { N: n }, budget: parseBudget(budget), backend: 'cpu' }, names);

/** Without the figures that follow from rates measured on a machine. */
const timeless = (text: string): string =>
  text
    .replace(/(predicted time +)\S+( %)/g, '$1…$2')
    .replace(/[\d,.]+(?= (dispatches|kernels|arithmetic|scattered))/g, '…');

describe('explain', () => {
  it('says what a loop is for and what it costs, and why other axes are not cut', () => {
    const explanation = of(attentionGraph(), 64, '30%', 'weights', 'kT');
    expect(timeless(describeExplanation(explanation))).toMatchInlineSnapshot(`
      "attention · N = 64 · cpu
        activation peak  19.3 KiB at weights
        unchunked        71 KiB at weights   (planned is 27.2 % of it)
        budget           21.3 KiB
        parameters       0 B, counted apart
        predicted time   … %
        loop1  (top)  N: 64 = 3 × 22  saves 20.7 KiB at scores

      loop1
        cuts     N: 64 = 3 × 22
        runs     matmul → causalMask → softmax → matmul
        gathers  context along axis 1
        saves    20.7 KiB, most of it at scores (29.1 % of the unchunked peak)
        costs    … dispatches = … kernels issued again + … arithmetic in loops + … kernels too small + … scattered slices

      weights: softmax [2, 64, 64] is cut by loop1 along axis 1
        axis 0  2       a loop from scores to context would bring the peak there from 39 KiB down to 24.5 KiB
        axis 1  N = 64  a loop from scores to context would bring the peak there from 39 KiB down to 8.52 KiB
        axis 2  N = 64  cannot be cut: every element along axis 2 needs the whole axis (rule: basic)

      kT: permute [2, 4, 64] is not cut: 6 KiB are alive while it runs, within the budget of 21.3 KiB
        axis 0  2       a loop over kT would not lower the peak there
        axis 1  4       a loop over kT would not lower the peak there
        axis 2  N = 64  a loop over kT would not lower the peak there
        where chunk flows around it stop:
          weights: every element along axis 2 needs the whole axis (rule: basic)

      the smallest peak the search reaches is 8.26 KiB (11.6 % of the unchunked peak), at weights, inside 2 loops. Alive there:
        context            2 KiB  an output: stays alive
        k                  2 KiB  an input: alive throughout
        q                  2 KiB  an input: alive throughout
        v                  2 KiB  an input: alive throughout
        scores             256 B  one chunk of a loop
        weights_scratch      4 B  scratch of the kernel
        weights_scratch_2    4 B  scratch of the kernel
      weights itself:
        axis 0  2       a loop from scores to context would bring the peak there from 39 KiB down to 24.5 KiB
        axis 1  N = 64  a loop from scores to context would bring the peak there from 39 KiB down to 8.52 KiB
        axis 2  N = 64  cannot be cut: every element along axis 2 needs the whole axis (rule: basic)
      "
    `);
    const planned = plan(attentionGraph(), {
      dims: { N: 64 },
      budget: parseBudget('30%'),
      backend: 'cpu',
    });
    expect(explanation.plan.loops).toEqual(planned.loops);
  });

  it('names the rule, the node and the axis that stop a loop', () => {
    const b = new GraphBuilder('stops');
    const x = b.input('x', ['N', 4]);
    const soft = b.op('soft', 'softmax', [x], { axis: 0 });
    const fixed = b.hinted({ noChunk: true }, () => b.op('fixed', 'exp', [soft]));
    const table = b.op('table', 'constant', [], { shape: [4], values: [1, 2, 3, 4] });
    const graph = b.build({ y: b.op('y', 'add', [fixed, table]) });
    const { nodes } = of(graph, 6, 'min', 'soft', 'fixed', 'table');
    expect(nodes.map(({ id, axes }) => [id, axes.map(({ obstacle }) => obstacle)])).toMatchInlineSnapshot(`
      [
        [
          "soft",
          [
            {
              "message": "every element along axis 0 needs the whole axis",
              "rule": "basic",
            },
            undefined,
          ],
        ],
        [
          "fixed",
          [
            {
              "message": "the author asked never to cut it (noChunk)",
              "rule": "basic",
            },
            {
              "message": "the author asked never to cut it (noChunk)",
              "rule": "basic",
            },
          ],
        ],
        [
          "table",
          [
            {
              "message": "constant cannot be cut: it has no access pattern",
              "rule": "basic",
            },
          ],
        ],
      ]
    `);
    expect(nodes[0]?.stops.map(({ node, rule }) => `${rule} at ${node}`)).toMatchInlineSnapshot(`
      [
        "basic at table",
      ]
    `);
  });

  it('explains what holds the smallest peak', () => {
    const { limit } = of(attentionGraph(32, 1), 64, '40KB');
    expect(limit.loops).toBe(2);
    expect(limit.alive.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(limit.peakBytes);
    expect(limit.alive.map(({ value, role }) => `${role} ${value}`)).toMatchInlineSnapshot(`
      [
        "output context",
        "input k",
        "input q",
        "input v",
        "chunk scores",
        "scratch weights_scratch",
        "scratch weights_scratch_2",
      ]
    `);
    expect(limit.node?.id).toBe('weights');
    expect(limit.node?.loops.map(({ axis }) => axis)).toEqual([0, 1]);
  });

  it('still explains when no plan meets the budget', () => {
    const explanation = of(attentionGraph(), 16, '1');
    expect(explanation.unmet?.smallestPeakBytes).toBe(explanation.limit.peakBytes);
    expect(explanation.plan.planned.peakBytes).toBe(explanation.limit.peakBytes);
    expect(JSON.parse(JSON.stringify(explanationJson(explanation)))).toMatchObject({
      model: 'attention',
      budgetMet: false,
      limit: { peakBytes: explanation.limit.peakBytes },
      nodes: [],
    });
  });

  it('says which loops relieve a node that is not cut, and lists the names that are like an unknown one', () => {
    const graph = gptGraph({ layers: 2, width: 64, heads: 4, vocabulary: 512 });
    const { nodes } = of(graph, 512, '20%', 'h0_v', 'h.1/h1_scores');
    expect(nodes.map(({ verdict }) => verdict)).toEqual(['within-budget', 'cut']);
    expect(() => of(graph, 64, '20%', 'score')).toThrowErrorMatchingInlineSnapshot(
      `[UserError: gpt has no node score. There are h.0/h0_scores, h.1/h1_scores.]`,
    );
    expect(() => of(graph, 64, '20%', 'nothing')).toThrowErrorMatchingInlineSnapshot(
      `[UserError: gpt has no node nothing. Views of views, equal computations and values that nobody uses are merged or dropped before the search; \`inspect\` lists the names of a model.]`,
    );
  });
});
