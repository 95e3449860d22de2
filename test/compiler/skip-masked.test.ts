import { describe, expect, it } from 'vitest';
import { parseBudget } from '../../src/compiler/budget.ts';
import type { CostModel } from '../../src/compiler/cost/cost-model.ts';
import { COST_MODELS } from '../../src/compiler/cost/cost-models/index.ts';
import { programSeconds } from '../../src/compiler/cost/seconds.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { skipMasked } from '../../src/compiler/passes/skip-masked.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { loopSizes } from '../../src/ir/loop.ts';
import type { Graph } from '../../src/ir/node.ts';
import { LOWEST_F32 } from '../../src/ir/ops/mask.ts';
import type { Plan } from '../../src/ir/plan.ts';
import { printProgram } from '../../src/ir/print.ts';
import type { Program, Step } from '../../src/ir/program.ts';
import { openDevice } from '../../src/runtime/index.ts';
import { comparePlan } from '../../src/testing/compare.ts';
import { randomData as randomModelData } from '../../src/testing/random.ts';
import { testBackends } from '../support/backends.ts';
import { attentionGraph, GraphBuilder, gptGraph, llamaGraph } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';

const compile = (graph: Graph, n: number, budget: string, fuse = true): Plan =>
  plan(graph, { dims: { N: n }, budget: parseBudget(budget), backend: 'cpu', fuse });

/** How many scores a program masks and weighs, by running its loops on paper. */
function masks(steps: readonly Step[], bindings: Record<string, number> = {}): number {
  let sum = 0;
  for (const step of steps) {
    if (step.kind === 'loop') {
      const { start, length } = step.loop;
      const { extent, chunkSize } = loopSizes(step.loop);
      for (let at = 0; at < extent; at += chunkSize) {
        sum += masks(step.steps, { ...bindings, [start]: at, [length]: Math.min(chunkSize, extent - at) });
      }
    } else if (step.kind === 'call' && step.node.op === 'causalSoftmax') {
      sum += step.node.shape.reduce<number>(
        (product, dim) => product * (typeof dim === 'number' ? dim : evaluate(dim, bindings)),
        1,
      );
    }
  }
  return sum;
}

const evaluate = (dim: string, bindings: Record<string, number>): number =>
  dim.split('+').reduce((sum, term) => sum + (bindings[term] ?? Number(term)), 0);

/** Attention whose scores go through `between` on their way to the mask. */
function masked(between: (b: GraphBuilder, scores: string) => string, columnStart = 0): Graph {
  const b = new GraphBuilder('masked');
  const [q, k, v] = ['q', 'k', 'v'].map((id) => b.input(id, ['N', 3])) as [string, string, string];
  const scores = b.op('scores', 'matmul', [q, b.op('kT', 'permute', [k], { axes: [1, 0] })]);
  const mask = b.op('mask', 'causalMask', [between(b, scores)], { columnStart });
  const weights = b.op('weights', 'softmax', [mask], { axis: 1 });
  return b.build({ y: b.op('y', 'matmul', [weights, v]) });
}

describe('skipMasked', () => {
  it('computes nothing for keys after the last row of a chunk', () => {
    const planned = compile(attentionGraph(), 12, '50%');
    expect(printProgram(planned.program)).toMatchInlineSnapshot(`
      "program "attention" {
        input q: f32[2, 12, 4]
        input k: f32[2, 12, 4]
        input v: f32[2, 12, 4]
        alloc context: f32[2, 12, 4] as output
        loop loop1 over "axis of 2" extent 2 chunk 1 start i0 length i {
          view k_slice = k.slice(0, i0, i+i0)
          view q_slice = q.slice(0, i0, i+i0)
          view v_slice = v.slice(0, i0, i+i0)
          view kT = k_slice.permute([0, 2, 1])
          view context_chunk = context.slice(0, i0, i+i0)
          loop loop2 over "N" extent 12 chunk 4 start n0 length n {
            view q_slice_slice = q_slice.slice(1, n0, n+n0)
            alloc scores: f32[i, n, 12]
            view kT_seen = kT.slice(2, 0, n+n0)
            view scores_seen = scores.slice(2, 0, n+n0)
            matmul(q_slice_slice, kT_seen) into scores_seen
            view weights = scores
            alloc weights_scratch: f32[i, n] as scratch
            alloc weights_scratch_2: f32[i, n] as scratch
            view weights_seen = weights.slice(2, 0, n+n0)
            causalSoftmax(scores_seen) {rowStart: n0, columnStart: 0} into weights_seen scratch weights_scratch, weights_scratch_2
            free weights_scratch
            free weights_scratch_2
            view context_chunk_chunk = context_chunk.slice(1, n0, n+n0)
            view v_slice_seen = v_slice.slice(1, 0, n+n0)
            matmul(weights_seen, v_slice_seen) into context_chunk_chunk
            free scores
          }
        }
        output "context" = context
      }
      "
    `);
    const data = randomData(planned.program);
    const run = interpret(planned.program, data);
    expect(run.outputs).toEqual(interpret(planned.unchunkedProgram, data).outputs);
    expect(run.peakBytes).toBe(planned.planned.peakBytes);
  });

  it('narrows what comes before the mask, as far as the mask alone needs it', () => {
    const width = (graph: Graph, fuse = true): (string | number | undefined)[] => {
      const planned = compile(graph, 24, '40%', fuse);
      const data = randomData(planned.program);
      const run = interpret(planned.program, data);
      expect(run.outputs).toEqual(interpret(planned.unchunkedProgram, data).outputs);
      return planned.program.steps
        .flatMap((step) => (step.kind === 'loop' ? step.steps : []))
        .flatMap((step) => (step.kind === 'call' ? [step.node.shape.at(-1)] : []));
    };
    const scaled = (b: GraphBuilder, x: string) => b.op('scaled', 'mulScalar', [x], { value: 0.5 });
    expect(width(masked(scaled))).toEqual(['n+n0', 'n+n0', 'n+n0', 3]);
    // Scores that a norm needs whole are computed whole.
    const normed = (b: GraphBuilder, x: string) => b.op('normed', 'softmax', [x], { axis: 1 });
    expect(width(masked(normed))).toEqual([24, 24, 'n+n0', 3]);
    const twice = (b: GraphBuilder, x: string) => b.op('sum', 'add', [x, scaled(b, x)]);
    expect(width(masked(twice), false)).toEqual([24, 'n+n0', 'n+n0', 'n+n0', 3]);
    // One op reads them twice: it alone.
    expect(width(masked(twice))).toEqual(['n+n0', 'n+n0', 'n+n0', 3]);
    // A row that sees no key has equal weights for all of them.
    expect(width(masked(scaled, 1))).toEqual([24, 24, 24, 3]);
  });

  it('keeps what may weigh something: keys of rows that see no others but padding', async () => {
    const b = new GraphBuilder('padded');
    const [q, k, v] = ['q', 'k', 'v'].map((id) => b.input(id, ['N', 3])) as [string, string, string];
    const mask = b.input('mask', [1, 'N'], 'i32');
    const lowest = b.op('lowest', 'full', [], { shape: [], value: LOWEST_F32 });
    const scores = b.op('scores', 'matmul', [q, b.op('kT', 'permute', [k], { axes: [1, 0] })]);
    const padded = b.op('padded', 'where', [mask, scores, lowest]);
    const masked = b.op('masked', 'causalMask', [padded]);
    const weights = b.op('weights', 'softmax', [masked], { axis: 1 });
    const graph = b.build({ y: b.op('y', 'matmul', [weights, v]) });
    for (const backend of testBackends) {
      const device = await openDevice({ backend });
      for (const budget of ['100%', '50%', 'min']) {
        const planned = plan(graph, {
          dims: { N: 24 },
          budget: parseBudget(budget),
          backend,
          splitReductions: false,
        });
        const data = randomModelData(planned.graph, 1);
        // Padding on the left: the first rows see nothing else.
        data.inputs.mask?.forEach((_, i, all) => void (all[i] = Number(i >= 7)));
        expect((await comparePlan(planned, device, data)).failures).toEqual([]);
      }
      await device.destroy();
    }
  });

  it('does about half of the work in small chunks', () => {
    const planned = compile(attentionGraph(), 96, '15%');
    expect(masks(planned.program.steps)).toBeLessThan(0.6 * masks(planned.unchunkedProgram.steps));
    expect(skipMasked(planned.unchunkedProgram)).toEqual(planned.unchunkedProgram);
    expect(lower(planned.graph).steps).not.toEqual(planned.program.steps);
  });

  it('is part of the predicted time', () => {
    // No dispatches: what is left is the work.
    const { kernels, ...webasm } = COST_MODELS.webasm;
    const free = Object.entries(kernels).map(([kind, rates]) => [kind, { ...rates, dispatchSeconds: 0 }]);
    const costModel: CostModel = { ...webasm, moduleSeconds: 0, kernels: Object.fromEntries(free) };
    const budget = parseBudget('15%');
    // On cpu whole programs compute every product: what loops leave out shows.
    const options = {
      dims: { N: 768 },
      budget,
      backend: 'cpu',
      costModel: { ...costModel, backend: 'cpu' },
    } as const;
    const causal = plan(attentionGraph(4, 32), options);
    expect(causal.predictedSlowdown).toBeLessThan(-0.2);
    const { program, unchunkedProgram } = causal;
    // Chunks of 55 rows: a little more than half of the scores are computed.
    const ratio = masks(program.steps) / masks(unchunkedProgram.steps);
    const narrowed = skipMasked(lower(causal.graph)).steps;
    const seconds = (steps: Program['steps']): number => programSeconds({ ...program, steps }, costModel);
    const whole = lower(causal.graph).steps;
    const outside = seconds(whole.filter(({ kind }) => kind !== 'loop'));
    const share = (seconds(narrowed) - outside) / (seconds(whole) - outside);
    expect(share).toBeGreaterThan(0.9 * ratio);
    expect(share).toBeLessThan(1.1 * ratio);
  });

  it.each(testBackends)('keeps every bit on %s', async (backend) => {
    const device = await openDevice({ backend });
    const llama = { layers: 1, width: 16, heads: 4, kvHeads: 2, hidden: 20, vocabulary: 16 };
    for (const [graph, n] of [
      [attentionGraph(3, 5), 67],
      [gptGraph({ layers: 1, width: 8, heads: 2, vocabulary: 11 }), 45],
      [llamaGraph(llama), 33],
    ] as const) {
      for (const budget of ['60%', 'min']) {
        const planned = compile(graph, n, budget);
        expect((await comparePlan(planned, device)).failures).toEqual([]);
      }
    }
    await device.destroy();
  });
});
