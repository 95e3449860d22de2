import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileModel, generate } from '../../src/compile.ts';
import { BudgetError } from '../../src/compiler/budget.ts';
import { plan as planGraph } from '../../src/compiler/pipeline.ts';
import { add, concat, defineModel, f32, matmul, neg, nn, softmax, transpose } from '../../src/index.ts';
import { type Device, openDevice } from '../../src/runtime/index.ts';
import { comparePlan, legalLoops, programs, randomData } from '../../src/testing/index.ts';
import { trace } from '../../src/trace/tracer.ts';
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

  it('any legal plan, nested or not, useful or not, keeps the bits and the bytes', async () => {
    const pick = fc.tuple(fc.nat(), fc.nat(), fc.nat());
    const picks = fc.array(pick, { minLength: 1, maxLength: 4 });
    let loops = 0;
    await fc.assert(
      fc.asyncProperty(programs(), picks, fc.nat(), async (program, picks, seed) => {
        const plan = planGraph(trace(program.model), {
          dims: program.dims,
          budget: { kind: 'min' },
          backend,
          choose: (graph) => legalLoops(graph, picks),
        });
        loops += plan.loops.length;
        const comparison = await comparePlan(plan, device, randomData(plan.graph, seed));
        if (!comparison.ok) expect.fail(`${comparison.failures.join('\n')}\n${await generate(plan)}`);
      }),
      { numRuns: RUNS[backend] },
    );
    expect(loops).toBeGreaterThan(RUNS[backend] / 2);
  });
});

it.each(testBackends)(
  'keeps the bits of softmax where a loop lays its rows out otherwise, on %s',
  async (backend) => {
    const model = defineModel('turned', { x: f32('N', 1, 1, 3) }, ({ x }) => {
      const turned = transpose(neg(x), 3, 0);
      return { negated: neg(turned), weights: neg(softmax(turned, 3)) };
    });
    const { plan } = await compileModel(model, { dims: { N: 3 }, budget: '70%', backend });
    expect(plan.loops).not.toEqual([]);
    const device = await openDevice({ backend });
    for (let seed = 0; seed < 20; seed++) {
      expect((await comparePlan(plan, device, randomData(plan.graph, seed))).failures).toEqual([]);
    }
    await device.destroy();
  },
);

it('prices a fused op in loops by the part that it reads of a value with borders', async () => {
  const model = defineModel('borders', { x: f32(1, 1, 'N', 1) }, ({ x }) => {
    const product = matmul(x, transpose(x, -2, -1));
    const convolved = nn.conv2d('p0', product, 2, 3, { padding: 1 });
    const stacked = add(add(concat([product, product], 0), product), product);
    return { y: matmul(stacked, transpose(stacked, -2, -1)), z: neg(convolved) };
  });
  const device = await openDevice({ backend: 'cpu' });
  const parts = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const plan = planGraph(trace(model), {
      dims: { N: 3 },
      budget: { kind: 'min' },
      backend: 'cpu',
      choose: (graph) =>
        legalLoops(graph, [
          [7919 * i, 104729 * i, 3],
          [15485863 * i, 32452843 * i, 1],
        ]),
    });
    for (const { path, depth } of plan.loops) parts.add(`${path} ${depth}`);
    expect((await comparePlan(plan, device, randomData(plan.graph, i))).failures).toEqual([]);
  }
  expect(parts.size).toBeGreaterThan(1);
  await device.destroy();
});
