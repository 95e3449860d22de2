import { describe, expect, it } from 'vitest';
import { parseBudget } from '../../src/compiler/budget.ts';
import { lengthBudget, type MaxLengthOptions, maxLength } from '../../src/compiler/max-length.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import type { Graph } from '../../src/ir/node.ts';
import { describeMaxLength, maxLengthJson } from '../../src/report/max-length.ts';
import { attentionGraph, GraphBuilder, gptGraph } from '../support/graphs.ts';

const of = (graph: Graph, budget: string, options: Partial<MaxLengthOptions> = {}) =>
  maxLength(graph, {
    over: 'N',
    dims: {},
    budgetBytes: lengthBudget(parseBudget(budget)),
    backend: 'cpu',
    ...options,
  });

/** Without the figure that follows from rates measured on a machine. */
const timeless = (text: string): string => text.replace(/(predicted time +)\S+( %)/g, '$1…$2');

describe('maxLength', () => {
  it('finds the last lengths that fit, without loops and with them', () => {
    const budgetBytes = 2 ** 17;
    const result = of(attentionGraph(), `${budgetBytes}`);
    const peak = (N: number, budget: string) =>
      plan(attentionGraph(), { dims: { N }, budget: parseBudget(budget), backend: 'cpu' });
    const { unchunked, chunked } = result;
    expect(peak(unchunked.length, '100%').unchunked.peakBytes).toBe(unchunked.peakBytes);
    expect(unchunked.peakBytes).toBeLessThanOrEqual(budgetBytes);
    expect(peak(unchunked.length + 1, '100%').unchunked.peakBytes).toBeGreaterThan(budgetBytes);
    expect(result.plan?.planned.peakBytes).toBeLessThanOrEqual(budgetBytes);
    expect(() => peak(chunked.length + 1, `${budgetBytes}`)).toThrow('no plan meets the budget');
    expect(timeless(describeMaxLength('attention', result))).toMatchInlineSnapshot(`
      "attention · the longest N within 128 KiB of activations
        unchunked  N = 87 (128 KiB)
        chunked    N = 1005 (128 KiB), 2 loops, predicted time … %   ×11.6 as long

           N  unchunked   chunked   of it
          16   5.75 KiB  2.07 KiB  36.0 %
          32   19.5 KiB  4.13 KiB  21.2 %
          64     71 KiB  8.26 KiB  11.6 %
          87    128 KiB  11.2 KiB   8.8 %
         128    270 KiB  16.5 KiB   6.1 %
         256   1.03 MiB  33.0 KiB   3.1 %
         512   4.05 MiB  66.0 KiB   1.6 %
        1005   15.5 MiB   128 KiB   0.8 %
      "
    `);
    expect(maxLengthJson(result)).toMatchObject({
      over: 'N',
      budgetBytes,
      ratio: chunked.length / unchunked.length,
      plan: { plannedPeakBytes: result.plan?.planned.peakBytes },
    });
  });

  it('stops where the model ends, and at the longest length considered', () => {
    const b = new GraphBuilder('positions');
    const table = b.param('table', [40, 2]);
    const rows = b.op('rows', 'slice', [table], { axis: 0, start: 0, length: 'N' });
    const graph = b.build({ y: b.op('y', 'add', [rows, b.input('x', ['N', 2])]) });
    expect(of(graph, '1MiB').chunked).toMatchObject({ length: 40, limit: 'model' });
    expect(of(graph, '1MiB', { step: 16 }).unchunked).toMatchObject({ length: 32, limit: 'model' });
    expect(of(graph, '1MiB', { most: 20 }).chunked).toMatchObject({ length: 20, limit: 'considered' });
    expect(of(graph, '160').chunked).toMatchObject({ length: 10, limit: 'budget' });
    const none = of(graph, '8');
    expect(none.chunked).toEqual({ length: 0, peakBytes: 16, limit: 'budget' });
    expect(none.plan).toBeUndefined();
    expect(describeMaxLength('positions', none)).toContain('no length fits: the shortest needs 16 B');
  });

  it('keeps every storage within the cap', () => {
    const cap = 4096;
    const { unchunked, chunked, plan: planned } = of(attentionGraph(), '1GiB', { cap, points: 0 });
    // Scores of two heads fill the cap at 22 rows; inputs at 128.
    expect([unchunked.length, chunked.length]).toEqual([22, 128]);
    expect(planned?.planned.largestStorageBytes).toBeLessThanOrEqual(cap);
  });

  it('makes GPT-2 more than twelve times as long', () => {
    const graph = gptGraph({ layers: 2, width: 768, heads: 12, vocabulary: 50257, headless: true });
    const { unchunked, chunked } = of(graph, '2GiB', { points: 0 });
    expect(chunked.length / unchunked.length).toBeGreaterThanOrEqual(11.7);
  });

  it('says what is wrong with a request', () => {
    expect(() => of(attentionGraph(), '20%')).toThrowErrorMatchingInlineSnapshot(
      `[UserError: a longest length needs a budget in bytes such as 2GiB: a share of the unchunked peak, or the smallest peak, fits any length]`,
    );
    expect(() => of(attentionGraph(), '1KiB', { over: 'M' })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: attention has no dimension M: its dimensions are N]`,
    );
    const b = new GraphBuilder('short');
    const x = b.input('x', ['N', 2]);
    const graph = b.build({ y: b.op('y', 'slice', [x], { axis: 0, start: 3, length: 'N-3' }) });
    expect(() => of(graph, '1KiB')).toThrow('extents must be positive');
  });
});
