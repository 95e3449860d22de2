import { describe, expect, it } from 'vitest';
import { BudgetError, parseBudget } from '../../src/compiler/budget.ts';
import { type PlanOptions, plan } from '../../src/compiler/pipeline.ts';
import type { Rejection } from '../../src/compiler/search/search.ts';
import type { Graph, LoopNode } from '../../src/ir/node.ts';
import type { Plan } from '../../src/ir/plan.ts';
import { printGraph } from '../../src/ir/print.ts';
import { attentionGraph, GraphBuilder, gptGraph, llamaGraph, mlpGraph } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';

const compile = (graph: Graph, n: number, budget: string, options: Partial<PlanOptions> = {}): Plan =>
  plan(graph, { dims: { N: n }, budget: parseBudget(budget), backend: 'cpu', ...options });

const loopsOf = (planned: Plan): string[] =>
  planned.loops.map(({ id, path, over, extent, chunkSize, savesAt }) => {
    const loop = planned.graph.nodes.find((node) => node.id === id) as LoopNode;
    const body = loop.body.nodes.map((node) => node.id).join(' ');
    return `${id} ${path} ${over} ${extent}/${chunkSize} saves at ${savesAt}: ${body}`;
  });

/** Runs both programs: same values, and the memory the plan says. */
function check(planned: Plan): void {
  const data = randomData(planned.program);
  const whole = interpret(planned.unchunkedProgram, data);
  const chunked = interpret(planned.program, data);
  expect(chunked.outputs).toEqual(whole.outputs);
  expect(whole.peakBytes).toBe(planned.unchunked.peakBytes);
  expect(chunked.peakBytes).toBe(planned.planned.peakBytes);
  expect(planned.planned.peakBytes).toBeLessThanOrEqual(planned.budgetBytes);
}

function failure(run: () => unknown): BudgetError {
  try {
    run();
  } catch (error) {
    if (error instanceof BudgetError) return error;
    throw error;
  }
  throw new Error('expected a BudgetError');
}

const models: [string, Graph, number[], string[]][] = [
  ['attention', attentionGraph(), [13, 32], ['50%', '45%', 'min']],
  ['mlp', mlpGraph(), [13, 32], ['50%', '35%', 'min']],
  ['gpt', gptGraph({ layers: 2, width: 8, heads: 2, vocabulary: 11 }), [11, 24], ['66%', '60%', 'min']],
  [
    'llama',
    llamaGraph({ layers: 2, width: 16, heads: 4, kvHeads: 2, hidden: 20, vocabulary: 16 }),
    [17, 24],
    ['50%', '40%', 'min'],
  ],
];

describe.each(models)('%s', (_name, graph, sizes, budgets) => {
  it.each(sizes.flatMap((n) => budgets.map((budget) => [n, budget] as const)))(
    'computes the same in the planned memory at N = %i within %s',
    (n, budget) => {
      const planned = compile(graph, n, budget);
      expect(planned.loops.length).toBeGreaterThan(0);
      check(planned);
    },
  );

  it('is deterministic', () => {
    const [first, second] = [compile(graph, 16, 'min'), compile(graph, 16, 'min')];
    expect(printGraph(first.graph)).toBe(printGraph(second.graph));
    expect(first.loops).toEqual(second.loops);
  });

  it('says what is in the way of a budget nobody can meet', () => {
    const error = failure(() => compile(graph, 16, '1'));
    const smallest = compile(graph, 16, 'min').planned;
    expect(error.smallestPeakBytes).toBe(smallest.peakBytes);
    expect(error.alive).toEqual(smallest.liveAtPeak);
    expect(() => compile(graph, 16, `${smallest.peakBytes}`)).not.toThrow();
    expect(() => compile(graph, 16, `${smallest.peakBytes - 1}`)).toThrow(BudgetError);
  });
});

describe('plan', () => {
  it('chooses the loops of a small GPT-2', () => {
    const graph = gptGraph({ layers: 2, width: 64, heads: 4, vocabulary: 512 });
    expect(loopsOf(compile(graph, 512, '20%'))).toMatchInlineSnapshot(`
      [
        "loop1 h.0 axis of 4 4/1 saves at h0_scores: h0_scores h0_scaled h0_masked h0_weights h0_context_chunk",
        "loop2 h.1 axis of 4 4/1 saves at h1_scores: h1_scores h1_scaled h1_masked h1_weights h1_context_chunk",
      ]
    `);
    expect(loopsOf(compile(graph, 512, 'min'))).toMatchInlineSnapshot(`
      [
        "loop1 h.0 N 512/74 saves at h0_scores: h0_q_split h0_q_heads h0_scores h0_scaled h0_masked h0_weights h0_context h0_rows h0_merged_chunk",
        "loop2 h.1 N 512/74 saves at h1_scores: h1_q_split h1_q_heads h1_scores h1_scaled h1_masked h1_weights h1_context h1_rows h1_merged_chunk",
      ]
    `);
  });

  it('brings a small Llama to 12 % of its unchunked peak', () => {
    const options = { layers: 5, width: 64, heads: 8, kvHeads: 4, hidden: 172, vocabulary: 512 };
    const planned = compile(llamaGraph(options), 512, 'min');
    expect(planned.planned.peakBytes / planned.unchunked.peakBytes).toBeLessThanOrEqual(0.12);
    expect(planned.planned.peakBytes).toMatchInlineSnapshot(`1181696`);
    expect(planned.predictedSlowdown).toBeLessThan(0);
  });

  it('covers the layers of a deep model with the same loop', () => {
    const graph = gptGraph({ layers: 24, width: 1024, heads: 16, vocabulary: 50257, headless: true });
    const planned = compile(graph, 1024, '50%');
    expect(planned.loops).toHaveLength(24);
    expect(
      new Set(planned.loops.map(({ over, extent, chunkSize }) => `${over} ${extent} ${chunkSize}`)).size,
    ).toBe(1);
    expect(planned.planned.peakBytes).toBeLessThanOrEqual(planned.unchunked.peakBytes / 2);
  });

  it('uses no loop where none is needed', () => {
    const planned = compile(attentionGraph(), 32, '100%');
    expect(planned.loops).toEqual([]);
    // Unchunked, every op writes a storage of its own: the weights one more of the size of the scores.
    expect(planned.planned.peakBytes).toBe(12288);
    expect(planned.unchunked.peakBytes).toBe(19968);
    expect(planned.predictedSlowdown).toBe(0);
    expect(planned.cost.total).toBe(0);
  });

  it('chunks the tail of a model: the final norm and the logits', () => {
    const b = new GraphBuilder('tail');
    const x = b.input('x', ['N', 4]);
    const h = b.op('h', 'rmsNorm', [x, b.param('w', [4])]);
    const logits = b.op('logits', 'linear', [h, b.param('head', [64, 4])]);
    const best = b.op('best', 'amax', [logits], { axis: 1, keepdims: false });
    const planned = compile(b.build({ best }), 32, '20%');
    expect(loopsOf(planned)).toMatchInlineSnapshot(`
      [
        "loop1  N 32/4 saves at logits: h logits best_chunk",
      ]
    `);
    check(planned);
  });

  it('keeps every storage within the cap', () => {
    const cap = 2 * 8 * 32 * 4;
    const planned = compile(attentionGraph(), 32, '100%', { cap });
    expect(planned.unchunked.largestStorageBytes).toBeGreaterThan(cap);
    expect(planned.planned.largestStorageBytes).toBeLessThanOrEqual(cap);
    check(planned);
    const b = new GraphBuilder('wide');
    const x = b.input('x', ['N', 4]);
    const wide = b.hinted({ noChunk: true }, () => b.op('wide', 'linear', [x, b.param('w', [64, 4])]));
    const graph = b.build({ y: b.op('y', 'amax', [wide], { axis: 1, keepdims: false }) });
    expect(failure(() => compile(graph, 32, '100%', { cap: 4096 })).message).toMatchInlineSnapshot(
      `"wide: no plan keeps every storage within the cap of 4 KiB (4096 bytes): wide cannot be cut. Raise the cap or use smaller dimensions."`,
    );
    expect(() => compile(attentionGraph(), 32, '100%', { cap: 64 })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: attention: input q [2, 32, 4] takes 1 KiB, more than the cap of 64 B on a single storage; use smaller dimensions]`,
    );
    expect(() => compile(attentionGraph(), 32, '100%', { cap: 0 })).toThrow('cap 0');
  });

  it('follows the hints of the author', () => {
    const build = (wrap: (b: GraphBuilder, make: () => string) => string): Graph => {
      const b = new GraphBuilder('hinted');
      const x = b.input('x', ['N', 4]);
      const w = b.param('w', [64, 4]);
      const y = wrap(b, () => {
        const up = b.op('up', 'linear', [x, w]);
        return b.op('down', 'matmul', [b.op('active', 'relu', [up]), w]);
      });
      return b.build({ y: b.op('y', 'tanh', [y]) });
    };
    const fixed = build((b, make) => b.hinted({ noChunk: true }, make));
    expect(compile(fixed, 32, 'min').loops).toEqual([]);
    const region = compile(
      build((b, make) => b.hinted({ region: 'mlp' }, make)),
      32,
      '40%',
    );
    expect(loopsOf(region)).toMatchInlineSnapshot(`
      [
        "loop1  N 32/16 saves at up: up active down_chunk",
      ]
    `);
    const preferred = compile(
      build((b, make) => b.hinted({ preferChunk: 'N' }, make)),
      32,
      '40%',
    );
    expect(preferred.loops.map(({ over }) => over)).toEqual(['N']);
  });

  it('reports passes, rejections and the cost of every loop', () => {
    const passes: string[] = [];
    const rejections: Rejection[] = [];
    const planned = compile(attentionGraph(), 32, '40%', {
      onPass: (name) => void passes.push(name),
    });
    expect(passes).toEqual(planned.passes.map(({ name }) => name));
    expect(passes).toMatchInlineSnapshot(`
      [
        "specialise",
        "simplify",
        "fuse",
        "lower unchunked",
        "estimate",
        "separate norms",
        "order",
        "search and select",
        "place loops",
        "lower",
        "skip masked",
        "fold masks",
        "limit products",
        "estimate planned",
        "report",
        "predict time",
      ]
    `);
    const gpt = gptGraph({ layers: 1, width: 8, heads: 2, vocabulary: 11 });
    compile(gpt, 32, 'min', { onRejection: (rejection) => void rejections.push(rejection) });
    expect(rejections.find(({ rule }) => rule === 'basic')).toMatchInlineSnapshot(`
      {
        "axis": 2,
        "message": "every element along axis 2 needs the whole axis",
        "node": "h0_weights",
        "rule": "basic",
      }
    `);
    const [loop] = planned.loops;
    const { nodes, flops, density, stride, total } = loop?.cost ?? planned.cost;
    expect(nodes + flops + density + stride).toBe(total);
    expect(total).toBeGreaterThan(0);
    const withoutLoops = compile(attentionGraph(), 32, '100%').planned.peakBytes;
    expect(loop?.savesBytes).toBe(withoutLoops - planned.planned.peakBytes);
  });

  it('stops when asked to', () => {
    expect(() => compile(attentionGraph(), 32, 'min', { signal: AbortSignal.abort() })).toThrow('abort');
  });
});
