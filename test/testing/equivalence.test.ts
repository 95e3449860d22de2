import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileModel } from '../../src/compile.ts';
import { BudgetError } from '../../src/compiler/budget.ts';
import { type Device, openDevice } from '../../src/runtime/index.ts';
import { comparePlan, programs, randomData } from '../../src/testing/index.ts';
import { testBackends } from '../support/backends.ts';

/** Fewer on webgpu: every kernel variant is a pipeline that the driver compiles. */
const RUNS = { cpu: 300, webasm: 200, webgpu: 60 } as const;

describe.each(testBackends)('random programs × budgets on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend });
  });
  afterAll(() => device.destroy());

  it('chunked = unchunked bit for bit, planned = measured, budgets kept or refused', async () => {
    const budget = fc.constantFrom('90%', '70%', '50%', '30%', 'min');
    await fc.assert(
      fc.asyncProperty(programs(), budget, fc.nat(), async (program, budget, seed) => {
        const compiled = await compileModel(program.model, { dims: program.dims, budget, backend }).catch(
          (error: unknown) => {
            if (error instanceof BudgetError) return undefined;
            throw error;
          },
        );
        if (!compiled) return;
        const { plan } = compiled;
        expect(plan.planned.peakBytes).toBeLessThanOrEqual(plan.budgetBytes);
        const comparison = await comparePlan(plan, device, randomData(plan.graph, seed));
        expect(comparison.failures, compiled.source).toEqual([]);
      }),
      { numRuns: RUNS[backend] },
    );
  });
});
