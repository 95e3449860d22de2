import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBudget } from '../../src/compiler/budget.ts';
import { shortenLayers } from '../../src/compiler/graph/layers.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { analyse } from '../../src/compiler/memory/state.ts';
import { order } from '../../src/compiler/passes/order.ts';
import { lowestOrder, type Task } from '../../src/compiler/passes/schedule.ts';
import { simplify } from '../../src/compiler/passes/simplify.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { UserError } from '../../src/errors.ts';
import type { Graph, ValueId } from '../../src/ir/node.ts';
import { verify } from '../../src/ir/verify.ts';
import { programs } from '../../src/testing/index.ts';
import { trace } from '../../src/trace/tracer.ts';
import { GraphBuilder, gptGraph } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';

const peakOf = (graph: Graph): number => analyse(graph, Number.POSITIVE_INFINITY).peak;
const ids = (graph: Graph): string => graph.nodes.map(({ id }) => id).join(' ');

/** Several wide values computed first, summed up afterwards. */
function wideFirst(b: GraphBuilder, x: ValueId, name = ''): ValueId {
  const wide = [0, 1, 2].map((i) => b.op(`${name}wide${i}`, 'expand', [x], { shape: [8 + i, 'N', 4] }));
  const active = wide.map((id, i) => b.op(`${name}active${i}`, 'tanh', [id]));
  const parts = active.map((id, i) => b.op(`${name}part${i}`, 'sum', [id], { axis: 0, keepdims: false }));
  return parts
    .slice(1)
    .reduce((sum, part, i) => b.op(`${name}sum${i}`, 'add', [sum, part]), parts[0] as ValueId);
}

describe('order', () => {
  it('computes wide values one after another, the widest first', () => {
    const b = new GraphBuilder();
    const y = wideFirst(b, b.input('x', ['N', 4]));
    const graph = specialise(b.build({ y }), { N: 16 });
    const ordered = order(graph);
    verify(ordered);
    expect(ids(graph)).toBe('wide0 wide1 wide2 active0 active1 active2 part0 part1 part2 sum0 sum1');
    expect(ids(ordered)).toBe('wide2 active2 part2 wide1 active1 part1 wide0 active0 part0 sum0 sum1');
    const row = 16 * 4 * 4;
    expect([peakOf(graph), peakOf(ordered)]).toEqual([(1 + 8 + 9 + 10 + 1) * row, (1 + 10 + 1) * row]);
  });

  it('leaves graphs alone that gain nothing', () => {
    const graph = simplify(
      specialise(gptGraph({ layers: 3, width: 8, heads: 2, vocabulary: 11 }), { N: 24 }),
    );
    expect(order(graph)).toBe(graph);
    const empty = new GraphBuilder();
    const nothing = empty.build({ y: empty.input('x', [3]) });
    expect(order(nothing)).toBe(nothing);
  });

  it('stays out of where the peak is not', () => {
    const b = new GraphBuilder();
    const early = wideFirst(b, b.input('x', ['N', 4]), 'early_');
    const large = b.op('large', 'exp', [b.op('larger', 'expand', [early], { shape: [40, 'N', 4] })]);
    const graph = specialise(b.build({ y: b.op('y', 'sum', [large], { axis: 0, keepdims: false }) }), {
      N: 16,
    });
    expect(order(graph)).toBe(graph);
  });

  it('orders equal layers alike, so that they are searched once', () => {
    const b = new GraphBuilder();
    let x = b.input('x', ['N', 4]);
    for (let layer = 0; layer < 9; layer++) {
      const inside = wideFirst(b, x, `l${layer}_`);
      x = b.op(`l${layer}_out`, 'linear', [inside, b.param(`l${layer}_w`, [4, 4])]);
    }
    const graph = specialise(b.build({ y: x }), { N: 16 });
    const ordered = order(graph);
    expect(peakOf(ordered)).toBeLessThan(peakOf(graph));
    const layerOf = (i: number): string =>
      ordered.nodes
        .slice(i * 12, (i + 1) * 12)
        .map(({ id }) => id.replace(/^l\d_/, ''))
        .join(' ');
    // The first layer reads an input, which never dies.
    for (let layer = 2; layer < 9; layer++) expect(layerOf(layer)).toBe(layerOf(1));
    for (const { graph } of shortenLayers(ordered))
      expect(graph.nodes.length).toBeLessThan(ordered.nodes.length);
    expect(shortenLayers(ordered)).not.toEqual([]);
  });

  it('meets a budget without any loop where the order alone does, and only where it is needed', () => {
    const b = new GraphBuilder();
    const graph = b.build({ y: wideFirst(b, b.input('x', ['N', 4])) });
    const options = { dims: { N: 16 }, backend: 'cpu', fuse: false } as const;
    const half = plan(graph, { ...options, budget: parseBudget('50%') });
    expect(half.loops).toEqual([]);
    expect(half.planned.peakBytes).toBeLessThanOrEqual(half.unchunked.peakBytes / 2);
    const whole = plan(graph, { ...options, budget: parseBudget('100%') });
    expect(ids(whole.graph)).toBe(ids(simplify(specialise(graph, options.dims))));
    expect(whole.unchunked.peakBytes).toBe(half.unchunked.peakBytes);
  });

  it('keeps outputs and never raises the peak of random programs', { timeout: 120_000 }, () => {
    let lowered = 0;
    fc.assert(
      fc.property(programs({ maxStatements: 16 }), fc.nat(), (program, seed) => {
        let graph: Graph;
        try {
          graph = simplify(specialise(trace(program.model), program.dims));
        } catch (error) {
          if (error instanceof UserError) return;
          throw error;
        }
        const ordered = order(graph);
        verify(ordered);
        expect([...ordered.nodes].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
          [...graph.nodes].sort((a, b) => (a.id < b.id ? -1 : 1)),
        );
        if (ordered === graph) return;
        lowered++;
        expect(peakOf(ordered)).toBeLessThan(peakOf(graph));
        const data = randomData(lower(graph), seed);
        expect(interpret(lower(ordered), data).outputs).toEqual(interpret(lower(graph), data).outputs);
      }),
      { numRuns: 300, seed: 5 },
    );
    expect(lowered).toBeGreaterThan(0);
  });
});

describe('lowestOrder', () => {
  /** All orders that the dependencies allow. */
  function* orders(tasks: readonly Task[], done: readonly number[] = []): Generator<readonly number[]> {
    if (done.length === tasks.length) yield done;
    for (const [task, { after }] of tasks.entries()) {
      if (done.includes(task) || after.some((other) => !done.includes(other))) continue;
      yield* orders(tasks, [...done, task]);
    }
  }

  it('finds the smallest peak that any order has', () => {
    const task = fc.record({
      after: fc.array(fc.nat(6), { maxLength: 2 }),
      extra: fc.nat(3),
      keeps: fc.nat(9),
      dies: fc.array(fc.nat(6), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(task, { minLength: 3, maxLength: 7 }), (drawn) => {
        const tasks = drawn.map(({ after, extra, keeps }, i) => ({
          after: [...new Set(after.filter((other) => other < i))],
          needs: keeps + extra,
          keeps,
        }));
        const dying = drawn.map(({ keeps, dies }, i) => ({
          bytes: keeps,
          seenBy: [...new Set([i, ...dies.filter((user) => user > i && user < drawn.length)])],
        }));
        const peak = (order: readonly number[]): number => {
          let live = 0;
          let most = 0;
          order.forEach((now, i) => {
            const { needs, keeps } = tasks[now] as Task;
            most = Math.max(most, live + needs);
            const done = order.slice(0, i + 1);
            live += keeps;
            for (const { bytes, seenBy } of dying)
              if (seenBy.includes(now) && seenBy.every((user) => done.includes(user))) live -= bytes;
          });
          return most;
        };
        const least = Math.min(...[...orders(tasks)].map(peak));
        const written = peak(tasks.map((_, i) => i));
        const found = lowestOrder(tasks, dying);
        expect(found.writtenPeak).toBe(written);
        expect(found.lowest?.peak ?? written).toBe(least);
        if (found.lowest) expect(peak(found.lowest.order)).toBe(least);
      }),
      { numRuns: 300 },
    );
  });
});
