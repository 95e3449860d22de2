import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KernelRates } from '../../src/compiler/cost/cost-model.ts';
import { fitOverhead, slowdownWith } from '../../src/compiler/cost/fit/fit-overhead.ts';
import { fitRates, type RateSample } from '../../src/compiler/cost/fit/fit-rates.ts';
import { fitWeights } from '../../src/compiler/cost/fit/fit-weights.ts';
import { minimise } from '../../src/compiler/cost/fit/minimise.ts';
import { callSeconds } from '../../src/compiler/cost/seconds.ts';
import { randomSource } from '../../src/testing/random.ts';

describe('minimise', () => {
  it('finds the minimum of a bent valley', () => {
    const rosenbrock = ([x = 0, y = 0]: readonly number[]): number => (1 - x) ** 2 + 100 * (y - x * x) ** 2;
    const [x, y] = minimise(rosenbrock, [-1.2, 1]);
    expect(x).toBeCloseTo(1, 3);
    expect(y).toBeCloseTo(1, 3);
  });

  it('stays where it is at a minimum', () => {
    expect(minimise(([x = 0]) => x * x, [0])).toEqual([0]);
  });
});

/** Kernels of many sizes, half of them bound by arithmetic. */
function samplesOf(rates: KernelRates, noise: () => number): RateSample[] {
  const samples: RateSample[] = [];
  for (let size = 0; size < 10; size++) {
    for (const [i, intensity] of [0, 0.25, 8, 512].entries()) {
      const elements = 8 ** size;
      const row = (size + i) % 2 === 0 ? 8 : 4096;
      const work = { passes: 1, elements, row, bytes: 12 * elements, flops: 12 * elements * intensity };
      samples.push({ ...work, seconds: callSeconds(work, rates) * noise() });
    }
  }
  return samples;
}

describe('fitRates', () => {
  const rates = {
    dispatchSeconds: 6e-6,
    flopsPerSecond: 2e10,
    bytesPerSecond: 8e9,
    halfElements: 3000,
    halfRow: 20,
  };

  it('recovers known rates', () => {
    const order = (low: number, high: number) =>
      fc.double({ min: Math.log(low), max: Math.log(high), noNaN: true }).map(Math.exp);
    const device = fc
      .record({ dispatch: order(1e-6, 3e-5), bytes: order(1e9, 3e12), intensity: order(1, 100) })
      .map(({ dispatch, bytes, intensity }) => ({
        dispatchSeconds: dispatch,
        flopsPerSecond: bytes * intensity,
        bytesPerSecond: bytes,
        halfElements: 1,
        halfRow: 1,
      }));
    fc.assert(
      fc.property(device, (truth) => {
        const { rates: found, error } = fitRates(samplesOf(truth, () => 1));
        expect(error.medianError).toBeLessThan(0.05);
        for (const name of ['dispatchSeconds', 'flopsPerSecond', 'bytesPerSecond'] as const) {
          expect(found[name] / truth[name]).toBeGreaterThan(0.8);
          expect(found[name] / truth[name]).toBeLessThan(1.25);
        }
      }),
      { seed: 5, numRuns: 50 },
    );
  });

  it('recovers where kernels become too small, under noise and with samples that are far off', () => {
    const next = randomSource(3);
    const samples = samplesOf(rates, () => (next() < 0.1 ? 4 : 0.9 + 0.2 * next()));
    const { rates: found, error } = fitRates(samples);
    expect(error.samples).toBe(samples.length);
    expect(error.medianError).toBeLessThan(0.1);
    expect(error.rSquared).toBeGreaterThan(0.97);
    for (const name of ['dispatchSeconds', 'flopsPerSecond', 'bytesPerSecond'] as const) {
      expect(found[name] / rates[name]).toBeGreaterThan(0.75);
      expect(found[name] / rates[name]).toBeLessThan(1.33);
    }
    expect(found.halfElements).toBeGreaterThan(1500);
    expect(found.halfElements).toBeLessThan(6000);
  });

  it('takes a single sample', () => {
    const { error } = fitRates([{ passes: 1, row: 1, flops: 10, bytes: 10, elements: 1, seconds: 1e-6 }]);
    expect(error).toMatchObject({ samples: 1, rSquared: expect.any(Number) });
  });
});

describe('fitOverhead', () => {
  it('recovers what a call takes beside its kernel', () => {
    const samples = [2, 5, 20, 60, 300].map((calls, i) => {
      const kernels = {
        unchunked: { kernelSeconds: 0.01, calls: 5 },
        planned: { kernelSeconds: 0.0101, calls },
      };
      const slowdown = slowdownWith(7e-6, { ...kernels, slowdown: 0 }) + (i === 2 ? 3 : 0);
      return { ...kernels, slowdown };
    });
    expect(fitOverhead(samples, 1e-6) / 7e-6).toBeCloseTo(1, 1);
  });
});

describe('fitWeights', () => {
  it('recovers known weights from slowdowns', () => {
    const seconds = { nodes: 4e-6, flops: 1e-12, density: 9e-6, stride: 2e-8 };
    const next = randomSource(11);
    const samples = Array.from({ length: 24 }, () => {
      const terms = {
        nodes: 200 * next(),
        flops: 1e9 * next(),
        density: 100 * next(),
        stride: 3e4 * next(),
      };
      const added =
        terms.nodes * seconds.nodes +
        terms.flops * seconds.flops +
        terms.density * seconds.density +
        terms.stride * seconds.stride;
      return { terms, unchunkedSeconds: 0.002, seconds: 0.002 + added };
    });
    const prior = { nodes: 1, flops: 1e-7, density: 1, stride: 0.01, saturation: 1e5 };
    const { weights, error } = fitWeights(samples, prior, 6e-6);
    expect(error.medianError).toBeLessThan(0.005);
    expect(weights.nodes).toBe(1);
    expect(weights.saturation).toBe(1e5);
    expect(weights.flops / (seconds.flops / seconds.nodes)).toBeCloseTo(1, 0);
    expect(weights.density / (seconds.density / seconds.nodes)).toBeCloseTo(1, 0);
    expect(weights.stride / (seconds.stride / seconds.nodes)).toBeCloseTo(1, 0);
  });

  it('keeps weights positive, near those before where plans say nothing', () => {
    const prior = { nodes: 1, flops: 1e-9, density: 1, stride: 0.01, saturation: 1e5 };
    const none = { nodes: 0, flops: 0, density: 0, stride: 0 };
    const faster = { terms: { ...none, nodes: 10 }, unchunkedSeconds: 0.01, seconds: 0.009 };
    const { weights } = fitWeights([faster], prior, 6e-6);
    for (const weight of Object.values(weights)) expect(weight).toBeGreaterThan(0);
    const { weights: same } = fitWeights([{ terms: none, unchunkedSeconds: 1, seconds: 1 }], prior, 6e-6);
    expect(same).toEqual(prior);
  });
});
