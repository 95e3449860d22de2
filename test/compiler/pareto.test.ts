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
    expect(describePareto(plans)).toMatchInlineSnapshot(`
      "mlp · N = 64 · cpu
            peak  of unchunked  predicted time  plan
        34.0 KiB       100.0 %          +0.0 %  no loop
        26.0 KiB        76.5 %          +7.1 %  1 loop
        20.0 KiB        58.8 %         +10.7 %  1 loop
        15.0 KiB        44.1 %         +21.4 %  1 loop
        12.0 KiB        35.3 %         +32.2 %  1 loop
        10.5 KiB        30.9 %         +42.9 %  1 loop
        9.00 KiB        26.5 %         +64.3 %  1 loop
        7.00 KiB        20.6 %        +107.2 %  1 loop
        6.00 KiB        17.6 %        +160.8 %  1 loop
        5.00 KiB        14.7 %        +332.3 %  1 loop
        4.25 KiB        12.5 %      +27884.6 %  2 loops
      "
    `);
    expect(paretoJson(plans).plans).toHaveLength(plans.length);
  });

  it('leaves out plans that others beat: causal attention is faster in chunks', () => {
    const plans = paretoPlans(attentionGraph(4, 32), { dims: { N: 512 }, backend: 'webasm' }, 6);
    expect(plans[0]?.loops).toHaveLength(1);
    expect(plans[0]?.predictedSlowdown).toBeLessThan(0);
  });
});
