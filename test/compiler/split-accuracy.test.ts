import { describe, expect, it } from 'vitest';
import { unchunkedPlan } from '../../src/compile.ts';
import { indexGraph } from '../../src/compiler/graph/graph-index.ts';
import type { Choice } from '../../src/compiler/loops/region.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { searchRegions } from '../../src/compiler/search/search.ts';
import { isContraction } from '../../src/ir/flow.ts';
import type { Attrs, Graph } from '../../src/ir/node.ts';
import { openDevice } from '../../src/runtime/open.ts';
import { runPlan } from '../../src/testing/compare.ts';
import { type ModelData, randomData } from '../../src/testing/random.ts';
import { testBackends } from '../support/backends.ts';
import { evalGraph } from '../support/eval-graph.ts';
import { GraphBuilder } from '../support/graphs.ts';

const N = 4096;

function reduced(op: string): Graph {
  const b = new GraphBuilder(op);
  const x = b.op('x2', 'mulScalar', [b.input('x', ['N', 6])], { value: 1.25 });
  return b.build({ y: b.op('y', op, [x], { axis: 0, keepdims: false }) });
}

function product(op: string, attrs: Attrs = {}): Graph {
  const b = new GraphBuilder(op);
  const x = b.op('x2', 'tanh', [b.input('x', [5, 'N'])]);
  return b.build({ y: b.op('y', op, [x, b.input('w', ['N', 3])], attrs) });
}

/** softmax(scale · q kᵀ + bias, perhaps masked) v, with few queries and many keys. */
function attention(scale: number, masked: boolean): Graph {
  const b = new GraphBuilder('attention');
  const kT = b.op('kT', 'permute', [b.input('k', [2, 'N', 8])], { axes: [0, 2, 1] });
  let scores = b.op('scaled', 'mulScalar', [b.op('scores', 'matmul', [b.input('q', [2, 5, 8]), kT])], {
    value: scale,
  });
  scores = b.op('biased', 'add', [scores, b.input('bias', [1, 1, 'N'])]);
  // The first rows see no key at all: every key counts the same for them.
  if (masked) scores = b.op('masked', 'causalMask', [scores], { rowStart: -2 });
  const weights = b.op('weights', 'softmax', [scores], { axis: 2 });
  return b.build({ context: b.op('context', 'matmul', [weights, b.input('v', [2, 'N', 4])]) });
}

/** Group normalisation of an image far from 0, as the compiler takes it apart. */
function normalised(offset: number): Graph {
  const b = new GraphBuilder('normalised');
  const x = b.op('x2', 'addScalar', [b.input('x', [1, 4, 'N', 3])], { value: offset });
  const attrs = { channelsPerGroup: 2 };
  const moments = b.op('moments', 'groupMoments', [x], attrs);
  const [weight, bias] = [b.input('weight', [4]), b.input('bias', [4])];
  return b.build({ y: b.op('y', 'groupNormalise', [x, moments, weight, bias], attrs) });
}

/** Layer normalisation of rows far from 0, as the compiler takes it apart. */
function normalisedRows(offset: number): Graph {
  const b = new GraphBuilder('rows');
  const x = b.op('x2', 'addScalar', [b.input('x', [5, 'N'])], { value: offset });
  const moments = b.op('moments', 'layerMoments', [x]);
  const [weight, bias] = [b.input('weight', ['N']), b.input('bias', ['N'])];
  return b.build({ y: b.op('y', 'layerNormalise', [x, moments, weight, bias]) });
}

const CASES: Readonly<Record<string, Graph>> = {
  sum: reduced('sum'),
  mean: reduced('mean'),
  amax: reduced('amax'),
  amin: reduced('amin'),
  matmul: product('matmul'),
  einsum: product('einsum', { equation: { text: 'rn,nc->cr' } }),
  'group normalisation': normalised(0),
  'group normalisation far from 0': normalised(1000),
  'layer normalisation': normalisedRows(0),
  'layer normalisation far from 0': normalisedRows(1000),
  'attention with equal scores': attention(0, false),
  attention: attention(1, false),
  'attention with masks': attention(1, true),
  'attention with scores of ±1e4': attention(2e3, false),
};

/** The largest region that adds up in parts. */
function split(graph: Graph, chunkSize: number): Choice[] {
  const index = indexGraph(graph);
  const regions = searchRegions(index, 0, { window: 40, splitReductions: true });
  const found = regions.filter(({ cuts }) => [...cuts.values()].some(isContraction));
  const [region] = found.sort((a, b) => b.cuts.size - a.cuts.size);
  if (!region) throw new Error('nothing is split');
  return [{ region, chunkSize }];
}

const float64 = (graph: Graph, data: ModelData): Record<string, { data: Float64Array }> => {
  const shape = (id: string) => graph.inputs.find((input) => input.id === id)?.shape as readonly number[];
  const inputs = Object.fromEntries(
    Object.entries(data.inputs).map(([id, elements]) => [id, { shape: shape(id), data: elements }]),
  );
  return evalGraph(graph, {}, inputs, new Map());
};

const worst = (actual: Record<string, Float32Array>, exact: Record<string, { data: Float64Array }>) => {
  let error = 0;
  let scale = 0;
  for (const [name, { data }] of Object.entries(exact)) {
    data.forEach((value, i) => {
      error = Math.max(error, Math.abs(value - (actual[name]?.[i] as number)));
      scale = Math.max(scale, Math.abs(value));
    });
  }
  return { error, rounding: scale * 2 ** -24 };
};

describe.each(testBackends)('split reductions on %s', (backend) => {
  it.each(Object.entries(CASES))('%s is no less accurate than whole', async (_name, graph) => {
    const device = await openDevice({ backend });
    try {
      for (const chunkSize of [1000, 256]) {
        const split_ = plan(graph, {
          dims: { N },
          budget: { kind: 'share', share: 1 },
          backend,
          choose: (whole) => split(whole, chunkSize),
        });
        expect(split_.loops.map(({ kind }) => kind)).not.toContain('concat');
        const whole = unchunkedPlan(split_);
        const data = randomData(split_.graph, 7);
        const exact = float64(
          plan(graph, { dims: { N }, budget: { kind: 'share', share: 1 }, backend, choose: () => [] }).graph,
          data,
        );
        const runs = {
          split: await runPlan(split_, device, data),
          whole: await runPlan(whole, device, data),
        };
        expect(runs.split.measuredPeakBytes).toBe(split_.planned.peakBytes);
        const [ours, theirs] = [worst(runs.split.outputs, exact), worst(runs.whole.outputs, exact)];
        expect(ours.error).toBeLessThanOrEqual(4 * Math.max(theirs.error, theirs.rounding));
      }
    } finally {
      await device.destroy();
    }
  });
});
