import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseBudget } from '../../src/compiler/budget.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import type { Graph, LoopNode } from '../../src/ir/node.ts';
import type { Plan } from '../../src/ir/plan.ts';
import { verify } from '../../src/ir/verify.ts';
import { type Device, openDevice } from '../../src/runtime/index.ts';
import { comparePlan } from '../../src/testing/compare.ts';
import { attentionGraph, GraphBuilder, gptGraph } from '../support/graphs.ts';

const compile = (graph: Graph, n: number, budget: string): Plan =>
  plan(graph, { dims: { N: n }, budget: parseBudget(budget), backend: 'cpu' });

const loopsOf = ({ graph, loops }: Plan): string[] => {
  const bodies = new Map<string, string>();
  const walk = (node: LoopNode): void => {
    bodies.set(node.id, node.body.nodes.map(({ id }) => id).join(' '));
    for (const inner of node.body.nodes) if (inner.kind === 'loop') walk(inner);
  };
  for (const node of graph.nodes) if (node.kind === 'loop') walk(node);
  return loops.map(
    ({ id, depth, over, extent, chunkSize, savesAt }) =>
      `${'  '.repeat(depth)}${id} ${over} ${extent}/${chunkSize} saves at ${savesAt}: ${bodies.get(id)}`,
  );
};

/** The outer sum of every row with itself, a function of it, and its mean: rows can be cut, and so can columns. */
function outerSum(rows: number): Graph {
  const b = new GraphBuilder('outer');
  const x = b.input('x', ['N', rows]);
  const a = b.op('a', 'reshape', [x], { shape: ['N', rows, 1] });
  const c = b.op('c', 'reshape', [x], { shape: ['N', 1, rows] });
  const pairs = b.op('pairs', 'tanh', [b.op('sums', 'add', [a, c])]);
  return b.build({ y: b.op('y', 'mean', [pairs], { axis: 2, keepdims: false }) });
}

describe('loops inside loops', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend: 'cpu' });
  });
  afterAll(() => device.destroy());

  it('go below what one loop can reach', async () => {
    const planned = compile(attentionGraph(32, 1), 64, '40KB');
    expect(loopsOf(planned)).toMatchInlineSnapshot(`
      [
        "loop1 axis of 32 32/2 saves at scores: kT loop2",
        "  loop2 N 64/13 saves at scores: scores masked weights context_chunk_chunk",
      ]
    `);
    verify(planned.graph);
    expect((await comparePlan(planned, device)).failures).toEqual([]);
    // One row of one head: scores that become weights in place, two numbers of scratch.
    const smallest = compile(attentionGraph(32, 1), 64, 'min');
    expect(smallest.planned.peakBytes).toBe(4 * 32 * 64 * 4 + 64 * 4 + 2 * 4);
  });

  it('are reported with their depth, what they save and what they cost in all iterations', () => {
    const planned = compile(attentionGraph(32, 1), 64, '40KB');
    const [outer, inner] = planned.loops;
    expect([outer?.depth, inner?.depth]).toEqual([0, 1]);
    const withoutLoops = compile(attentionGraph(32, 1), 64, '100%').planned.peakBytes;
    expect(outer?.savesBytes).toBe(withoutLoops - planned.planned.peakBytes);
    // The scores of two heads, whole instead of thirteen rows of each, and the numbers beside a row.
    expect(inner?.savesBytes).toBe((2 * 64 * 64 + 2 * 2 * 64 - (2 * 13 * 64 + 2 * 2 * 13)) * 4);
    expect(planned.cost.total).toBeCloseTo((outer?.cost.total ?? 0) + (inner?.cost.total ?? 0));
  });

  it('are the same in every layer', () => {
    const graph = gptGraph({ layers: 3, width: 8, heads: 4, vocabulary: 11, headless: true });
    const planned = compile(graph, 48, 'min');
    const inner = planned.loops.filter(({ depth }) => depth === 1);
    expect(inner.length).toBe(3);
    expect(new Set(inner.map(({ over, extent, chunkSize }) => `${over} ${extent} ${chunkSize}`)).size).toBe(
      1,
    );
  });

  it('nest as deep as it takes', async () => {
    const planned = compile(outerSum(9), 11, 'min');
    expect(loopsOf(planned)).toMatchInlineSnapshot(`
      [
        "loop1 N 11/1 saves at pairs: c loop2",
        "  loop2 axis of 9 9/1 saves at pairs: a pairs y_chunk_chunk",
      ]
    `);
    expect((await comparePlan(planned, device)).failures).toEqual([]);
  });

  it('run as planned, as generated modules, whatever the budget', async () => {
    let nested = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 4, max: 24 }),
        fc.integer({ min: 0, max: 60 }),
        fc.boolean(),
        async (heads, n, share, attention) => {
          const graph = attention ? attentionGraph(heads, 1) : outerSum(heads);
          const least = compile(graph, n, 'min').planned.peakBytes;
          const whole = compile(graph, n, '100%').planned.peakBytes;
          const planned = compile(graph, n, `${least + Math.floor((share / 1000) * (whole - least))}`);
          nested += planned.loops.filter(({ depth }) => depth > 0).length;
          expect((await comparePlan(planned, device)).failures).toEqual([]);
        },
      ),
      { numRuns: 12, seed: 3 },
    );
    expect(nested).toBeGreaterThan(5);
  });
});
