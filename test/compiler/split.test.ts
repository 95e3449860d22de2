import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { indexGraph } from '../../src/compiler/graph/graph-index.ts';
import { placeLoops, sketchLoops } from '../../src/compiler/loops/place-loops.ts';
import { isStreamed } from '../../src/compiler/loops/stream.ts';
import { estimate } from '../../src/compiler/memory/estimate.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { analyse } from '../../src/compiler/memory/state.ts';
import { simplify } from '../../src/compiler/passes/simplify.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { searchRegions } from '../../src/compiler/search/search.ts';
import { kindOf } from '../../src/ir/loop.ts';
import type { Graph, OpNode } from '../../src/ir/node.ts';
import { parseGraph } from '../../src/ir/parse.ts';
import { printGraph } from '../../src/ir/print.ts';
import { verify } from '../../src/ir/verify.ts';
import { legalLoops } from '../../src/testing/legal-loops.ts';
import { attentionGraph, GraphBuilder, mlpGraph } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';
import { expectSameOutputs } from '../support/same-outputs.ts';

/** Attention with its heads behind its rows, a bias, and softmax over the axis before the last. */
function einsumAttention(): Graph {
  const b = new GraphBuilder('einsum');
  const x = b.input('x', ['N', 6]);
  const [q, k, v] = ['q', 'k', 'v'].map((name) =>
    b.op(name, 'reshape', [b.op(`${name}_flat`, 'linear', [x, b.param(`${name}_w`, [6, 6])])], {
      shape: ['N', 2, 3],
    }),
  ) as [string, string, string];
  const equation = (text: string) => ({ equation: { text } });
  const scores = b.op('scores', 'einsum', [q, k], equation('qhd,khd->hkq'));
  const biased = b.op('biased', 'add', [scores, b.param('bias', [2, 1, 1])]);
  const weights = b.op('weights', 'softmax', [biased], { axis: 1 });
  const context = b.op('context', 'einsum', [weights, v], equation('hkq,khd->qhd'));
  return b.build({
    y: b.op('y', 'linear', [b.op('flat', 'reshape', [context], { shape: ['N', 6] }), b.param('o', [6, 6])]),
  });
}

/** Attention whose keys are shared by groups of heads, transposed between softmax and the product. */
function groupedAttention(): Graph {
  const b = new GraphBuilder('grouped');
  const q = b.input('q', [2, 3, 'N', 4]);
  const k = b.input('k', [2, 1, 'N', 4]);
  const scores = b.op('scores', 'matmul', [q, b.op('kT', 'permute', [k], { axes: [0, 1, 3, 2] })]);
  const scaled = b.op('scaled', 'mulScalar', [scores], { value: 0.5 });
  const weights = b.op('weights', 'softmax', [b.op('masked', 'causalMask', [scaled])], { axis: 3 });
  const turned = b.op('turned', 'permute', [weights], { axes: [0, 1, 3, 2] });
  const one = b.op('one', 'reshape', [turned], { shape: [6, 'N', 'N'] });
  const v = b.op(
    'v',
    'expand',
    [b.op('vT', 'permute', [b.input('values', [1, 'N', 4])], { axes: [0, 2, 1] })],
    { shape: [6, 4, 'N'] },
  );
  return b.build({ context: b.op('context', 'matmul', [v, one]) });
}

/** Reductions of every kind over what an MLP makes of every position. */
function pooledGraph(): Graph {
  const b = new GraphBuilder('pooled');
  const x = b.input('x', ['N', 4]);
  const up = b.op('up', 'gelu', [b.op('h', 'linear', [x, b.param('w', [6, 4]), b.param('c', [6])])], {
    tanh: true,
  });
  return b.build({
    sum: b.op('total', 'sum', [b.op('a', 'neg', [up])], { axis: 0, keepdims: false }),
    mean: b.op('average', 'mean', [b.op('b', 'sigmoid', [up])], { axis: 0, keepdims: true }),
    most: b.op('most', 'amax', [b.op('c1', 'tanh', [up])], { axis: 0, keepdims: false }),
    least: b.op('least', 'amin', [b.op('d', 'mul', [up, up])], { axis: 1, keepdims: true }),
    out: b.op('down', 'linear', [up, b.param('o', [4, 6]), b.param('ob', [4])]),
  });
}

const GRAPHS = {
  attention: attentionGraph(),
  mlp: mlpGraph(),
  einsum: einsumAttention(),
  grouped: groupedAttention(),
  pooled: pooledGraph(),
};

describe('loops that split reductions', () => {
  it.each(Object.entries(GRAPHS))(
    'compute %s, nested in every way, in exactly the planned memory',
    (_name, graph) => {
      const kinds: Record<string, number> = { concat: 0, reduction: 0, streaming: 0, nested: 0 };
      const count = ({ nodes }: Graph, around: boolean): void => {
        for (const node of nodes) {
          if (node.kind === 'op') continue;
          const kind = kindOf(node);
          kinds[kind] = (kinds[kind] as number) + 1;
          if (around) kinds.nested = (kinds.nested as number) + 1;
          count(node.body, around || kind !== 'concat');
        }
      };
      fc.assert(
        fc.property(
          fc.integer({ min: 2, max: 7 }),
          fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { minLength: 1, maxLength: 4 }),
          (n, picks) => {
            const whole = simplify(specialise(graph, { N: n }));
            const choices = legalLoops(whole, picks);
            const placed = placeLoops(whole, choices);
            verify(placed);
            expect(parseGraph(printGraph(placed))).toEqual(placed);
            count(placed, false);
            const program = lower(placed);
            const data = randomData(program);
            const chunked = interpret(program, data);
            expectSameOutputs(chunked.outputs, interpret(lower(whole), data).outputs, placed);
            expect(chunked.peakBytes).toBe(estimate(program).peakBytes);
            expect(analyse(sketchLoops(whole, choices), Number.POSITIVE_INFINITY).peak).toBe(
              chunked.peakBytes,
            );
          },
        ),
        { numRuns: 120, seed: 1234 },
      );
      expect(kinds.nested).toBeGreaterThan(10);
    },
  );
});

describe('softmax that is read along its own axis', () => {
  const streamed = (reads: (b: GraphBuilder, weights: string) => string): boolean => {
    const b = new GraphBuilder('read');
    const weights = b.op('weights', 'softmax', [b.input('x', [1, 4, 6])], { axis: 2 });
    const graph = b.build({ y: reads(b, weights) });
    const regions = searchRegions(indexGraph(graph), 0, { window: 8, splitReductions: true });
    return regions.some(({ cuts }) => isStreamed(graph.nodes[0] as OpNode, cuts.get('weights')));
  };

  it('is streamed into sums', () => {
    expect(streamed((b, x) => b.op('y', 'matmul', [x, b.input('v', [1, 6, 3])]))).toBe(true);
    for (const op of ['sum', 'mean'])
      expect(streamed((b, x) => b.op('y', op, [x], { axis: 2, keepdims: true }))).toBe(true);
  });

  it('is not streamed into what is no sum: scaling what was found so far would not scale it', () => {
    for (const op of ['amax', 'amin'])
      expect(streamed((b, x) => b.op('y', op, [x], { axis: 2, keepdims: true }))).toBe(false);
    expect(streamed((b, x) => b.op('y', 'layerMoments', [x]))).toBe(false);
  });
});
