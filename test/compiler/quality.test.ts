import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Device, openDevice } from '../../src/runtime/index.ts';
import { type ContractCase, checkContract } from '../../src/testing/budget-contract.ts';
import { type Distance, type Distances, distances } from '../../src/testing/distance.ts';
import { printChoices } from '../../src/testing/print-choices.ts';
import { programs } from '../../src/testing/programs.ts';
import { trace } from '../../src/trace/tracer.ts';

/** A slice of what `npm run quality` looks at, with the same bounds. */
const SEED = 4;
const PROGRAMS = 40;
const GRAPHS = 160;

describe('random programs × budgets', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend: 'cpu' });
  });
  afterAll(() => device.destroy());

  it('no plan is over budget, no loop is useless, every peak is as planned', async () => {
    const cases: ContractCase[] = [];
    for (const [k, program] of fc.sample(programs(), { numRuns: PROGRAMS, seed: SEED }).entries()) {
      const found = await checkContract(program, device, k);
      expect(
        found.flatMap(({ failures }) => failures),
        program.source,
      ).toEqual([]);
      cases.push(...found);
    }
    expect(cases.filter(({ loops }) => loops > 0).length).toBeGreaterThan(PROGRAMS / 2);
  });
});

describe.each([
  ['that keep every bit', false],
  ['that may split reductions', true],
])('plans for small graphs %s, against the best of all plans', (_, splitReductions) => {
  const found: Distances[] = [];
  beforeAll(() => {
    for (const [k, program] of fc
      .sample(programs({ maxStatements: 6 }), { numRuns: GRAPHS, seed: SEED })
      .entries()) {
      const { model, dims } = program;
      const options = { dims, backend: 'cpu', splitReductions, maxNodes: 7, most: 1500, seed: k } as const;
      const one = distances(trace(model), options);
      if (one?.min.best.isProven && one.within.best.isProven) found.push(one);
    }
  });

  const describeMiss = ({ planner, best, above }: Distance): string =>
    [
      `${above} above`,
      ...printChoices(planner?.choices ?? []),
      'optimum:',
      ...printChoices(best.choices ?? []),
    ].join('\n');

  // The planner passes over splits that take off less than a twenty-fourth: their optimum is another.
  if (!splitReductions)
    it('the smallest peak is the optimum in 95 % of them, and never more than 5 % above', () => {
      expect(found.length).toBeGreaterThan(GRAPHS / 6);
      const peaks = found.map(({ min }) => min);
      expect(peaks.filter(({ above }) => above > 0.05).map(describeMiss)).toEqual([]);
      expect(peaks.filter(({ above }) => above <= 0).length).toBeGreaterThanOrEqual(0.95 * peaks.length);
    });

  it('within a budget the cost is within 5 % of the optimum in 90 % of them', () => {
    const costs = found.map(({ within }) => within);
    const close = costs.filter(({ above }) => above <= 0.05).length;
    expect(close).toBeGreaterThanOrEqual(0.9 * costs.length);
  });
});
