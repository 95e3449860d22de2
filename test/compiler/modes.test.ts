import { describe, expect, it } from 'vitest';
import { alternativePlans } from '../../src/compiler/alternatives.ts';
import { BudgetError } from '../../src/compiler/budget.ts';
import { planWithinSlowdown, SlowdownError } from '../../src/compiler/max-slowdown.ts';
import { type PlanOptions, plan } from '../../src/compiler/pipeline.ts';
import type { Plan } from '../../src/ir/plan.ts';
import { printProgram } from '../../src/ir/print.ts';
import { gptGraph, mlpGraph } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';

const graph = mlpGraph(8, 64);
const options = { dims: { N: 256 }, backend: 'webasm' } as const;
const least = plan(graph, { ...options, budget: { kind: 'min' } });
const within = (budget: PlanOptions['budget'], maxSlowdown: number) =>
  planWithinSlowdown(graph, { ...options, budget, maxSlowdown });

describe('planWithinSlowdown', () => {
  it('gives less memory for more time, and never more time than allowed', () => {
    let peak = least.unchunked.peakBytes;
    for (const maxSlowdown of [0, 0.02, 0.1, 0.5, 2]) {
      const found = within({ kind: 'min' }, maxSlowdown);
      expect(found.predictedSlowdown).toBeLessThanOrEqual(maxSlowdown);
      expect(found.planned.peakBytes).toBeLessThanOrEqual(peak);
      expect(found).toMatchObject({ maxSlowdown, budget: { kind: 'min' } });
      expect(found.budgetBytes).toBe(found.planned.peakBytes);
      peak = found.planned.peakBytes;
    }
    expect(peak).toBeLessThan(least.unchunked.peakBytes);
  });

  it('is the smallest peak where time does not matter', () => {
    const found = within({ kind: 'min' }, 1e6);
    expect(found.planned.peakBytes).toBe(least.planned.peakBytes);
  });

  it('keeps a budget too, or says that it cannot keep both', () => {
    const bytes = Math.floor(0.6 * least.unchunked.peakBytes);
    const free = plan(graph, { ...options, budget: { kind: 'bytes', bytes } });
    const both = within({ kind: 'bytes', bytes }, free.predictedSlowdown);
    expect(both.planned.peakBytes).toBeLessThanOrEqual(bytes);
    expect(both).toMatchObject({ budgetBytes: bytes, budget: { kind: 'bytes', bytes } });
    try {
      within({ kind: 'bytes', bytes: least.planned.peakBytes }, 0);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(SlowdownError);
      const { message, maxSlowdown, leastSlowdown } = error as SlowdownError;
      expect({ maxSlowdown, leastSlowdown: leastSlowdown > 0 }).toEqual({
        maxSlowdown: 0,
        leastSlowdown: true,
      });
      expect(message).toMatch(
        /^mlp: no plan within .* is predicted to take at most 0\.0 % longer: the fastest takes .* % longer, with a peak of .*\. Raise the budget or the slowdown\.$/,
      );
    }
    expect(() => within({ kind: 'bytes', bytes: 8 }, 1)).toThrow(BudgetError);
  });

  it.each([-0.1, Number.NaN, Number.POSITIVE_INFINITY])('refuses %s', (maxSlowdown) => {
    expect(() => within({ kind: 'min' }, maxSlowdown)).toThrow(/maxSlowdown .*: expected a share/);
  });
});

describe('alternativePlans', () => {
  it('finds different plans within the budget that compute the same, the fastest first', () => {
    const model = gptGraph({ layers: 1, width: 16, heads: 2, vocabulary: 11 });
    const asked = { dims: { N: 48 }, backend: 'webasm', budget: { kind: 'share', share: 0.5 } } as const;
    const plans = alternativePlans(model, asked, 4);
    expect(plans.length).toBeGreaterThan(1);
    expect(new Set(plans.map(({ program }) => printProgram(program))).size).toBe(plans.length);
    const data = randomData((plans[0] as Plan).program);
    const [first] = plans.map(({ unchunkedProgram }) => interpret(unchunkedProgram, data));
    for (const [i, one] of plans.entries()) {
      expect(one.planned.peakBytes).toBeLessThanOrEqual(one.budgetBytes);
      expect(one.budget).toEqual(asked.budget);
      expect(interpret(one.program, data).outputs).toEqual(first?.outputs);
      const next = plans[i + 1];
      if (next) expect(next.predictedSeconds).toBeGreaterThanOrEqual(one.predictedSeconds);
    }
    const chosen = plan(model, asked);
    expect(plans[0]?.predictedSeconds).toBeLessThanOrEqual(chosen.predictedSeconds);
    expect(alternativePlans(model, asked, 1)).toHaveLength(1);
  });

  it('throws for a budget that is out of reach', () => {
    expect(() => alternativePlans(graph, { ...options, budget: { kind: 'bytes', bytes: 8 } }, 3)).toThrow(
      BudgetError,
    );
  });
});
