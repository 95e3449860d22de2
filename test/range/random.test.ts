import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lower } from '../../src/compiler/memory/lower.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { planAtSize, planRange } from '../../src/compiler/range/plan-range.ts';
import { UserError } from '../../src/errors.ts';
import type { Graph } from '../../src/ir/node.ts';
import type { Budget } from '../../src/ir/plan.ts';
import type { RangePlan } from '../../src/ir/range-plan.ts';
import { programs } from '../../src/testing/index.ts';
import { trace } from '../../src/trace/tracer.ts';
import { interpret, randomData } from '../support/interpret.ts';

/** The plan, or undefined where the program is not for ranges: no size to read, or out of the budget's reach. */
function planned(graph: Graph, to: number, budget: Budget): RangePlan | undefined {
  try {
    return planRange(graph, { dims: { N: { from: 1, to } }, budget, backend: 'cpu' });
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

describe('random programs × ranges × budgets', () => {
  it('give the results of the unchunked program at every size, with the peak that is planned, within the budget', () => {
    let loops = 0;
    let plans = 0;
    const budgets = fc.oneof(
      fc.constant<Budget>({ kind: 'min' }),
      fc.constantFrom(0.3, 0.5, 0.8).map((share): Budget => ({ kind: 'share', share })),
    );
    fc.assert(
      fc.property(
        programs(),
        fc.integer({ min: 2, max: 24 }),
        budgets,
        fc.nat(),
        (program, to, budget, seed) => {
          const graph = trace(program.model);
          const plan = graph.dims.includes('N') ? planned(graph, to, budget) : undefined;
          if (!plan) return;
          plans++;
          loops += plan.loops.length;
          for (let size = 1; size <= to; size++) {
            const { bindings, peakBytes } = planAtSize(plan, size);
            expect(peakBytes).toBeLessThanOrEqual(plan.budgetBytes);
            if (size > 3 && size % 5 !== 0 && size !== to) continue;
            const whole = lower(specialise(graph, { N: size }));
            const data = randomData(whole, seed + size);
            const run = interpret(plan.program, data, bindings);
            expect(run.outputs).toEqual(interpret(whole, data).outputs);
            expect(run.peakBytes).toBe(peakBytes);
          }
        },
      ),
      { numRuns: 150 },
    );
    expect(plans).toBeGreaterThan(50);
    expect(loops).toBeGreaterThan(20);
  });
});
