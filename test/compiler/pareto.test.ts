import { describe, expect, it } from 'vitest';
import { paretoPlans } from '../../src/compiler/pareto.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { describePareto, paretoJson } from '../../src/report/pareto.ts';
import { attentionGraph, mlpGraph } from '../support/graphs.ts';

describe('paretoPlans', () => {
  it('trades memory for time, from the most memory to the smallest peak', () => {
    const options = { dims: { N: 64 }, backend: 'cpu' } as const;
    const plans = paretoPlans(mlpGraph(8, 64), options);
    expect(plans.length).toBeGreaterThan(3);
    for (const [i, { planned, predictedSlowdown }] of plans.entries()) {
      const next = plans[i + 1];
      if (!next) continue;
      expect(next.planned.peakBytes).toBeLessThan(planned.peakBytes);
      expect(next.predictedSlowdown).toBeGreaterThan(predictedSlowdown);
    }
    expect(plans[0]?.loops).toEqual([]);
    const least = plan(mlpGraph(8, 64), { ...options, budget: { kind: 'min' } });
    expect(plans.at(-1)?.planned.peakBytes).toBe(least.planned.peakBytes);
    const lines = describePareto(plans).trimEnd().split('\n');
    expect(lines[0]).toBe('mlp · N = 64 · cpu');
    expect(lines[2]).toMatch(/20 KiB +58\.8 % +\+0\.0 % +no loop/);
    expect(lines).toHaveLength(2 + plans.length);
    expect(paretoJson(plans).plans).toHaveLength(plans.length);
  });

  it('leaves out plans that others beat: causal attention is faster in chunks where products are computed whole', () => {
    const plans = paretoPlans(attentionGraph(4, 32), { dims: { N: 512 }, backend: 'cpu' }, 6);
    expect(plans[0]?.loops).toHaveLength(1);
    expect(plans[0]?.predictedSlowdown).toBeLessThan(0);
  });
});
