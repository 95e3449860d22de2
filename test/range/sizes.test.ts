import { afterAll, describe, expect, it } from 'vitest';
import { STORIES_260K } from '../../models/llama/config.ts';
import { llama } from '../../models/llama/model.ts';
import { estimate } from '../../src/compiler/memory/estimate.ts';
import { planAtSize } from '../../src/compiler/range/plan-range.ts';
import { openDevice } from '../../src/runtime/index.ts';
import { RangeSubject } from '../../src/testing/compare-range.ts';
import { trace } from '../../src/trace/tracer.ts';

const TO = 200;
const isPrime = (n: number): boolean => {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return n > 1;
};
/** All of 1 … 17, the primes after them, and the sizes around the upper end. */
const SIZES = Array.from({ length: TO }, (_, i) => i + 1).filter((n) => n <= 17 || isPrime(n) || n >= TO - 1);

const tiny = trace(llama('tiny', { ...STORIES_260K, vocab_size: 40, num_hidden_layers: 2 }));

describe.each([
  ['webasm', '512KiB'],
  ['cpu', 'min'],
] as const)('a module for N = 1 … 200 on %s within %s', async (backend, budget) => {
  const device = await openDevice({ backend });
  afterAll(() => device.destroy());
  const dims = { N: { from: 1, to: TO } };
  const subject = await RangeSubject.compile(tiny, { dims, budget }, device);
  const { plan } = subject.compilation;

  it('gives the results of the unchunked model with the peak it announces', async () => {
    expect(SIZES.length).toBeGreaterThanOrEqual(50);
    expect(plan.rules.length).toBeGreaterThan(0);
    for (const size of SIZES) {
      const { failures } = await subject.check(size, size);
      expect(failures, `N = ${size}`).toEqual([]);
    }
  });

  it('announces at every size what the steps of the program add up to, within the budget', () => {
    for (let size = 1; size <= TO; size++) {
      const { bindings, peakBytes } = planAtSize(plan, size);
      expect(peakBytes).toBe(estimate(plan.program, bindings).peakBytes);
      expect(peakBytes).toBeLessThanOrEqual(plan.budgetBytes);
    }
  });
});
