import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plan } from '../../src/compiler/pipeline.ts';
import { openDevice } from '../../src/runtime/open.ts';
import { comparePlan, legalLoops } from '../../src/testing/index.ts';
import { testBackends } from '../support/backends.ts';
import { loopPicks, networks } from '../support/networks.ts';

describe.each(testBackends)('random networks on %s', (backend) => {
  it('give the same bits whatever rows and columns are cut, in exactly the planned memory', async () => {
    const device = await openDevice({ backend });
    let halos = 0;
    try {
      await fc.assert(
        fc.asyncProperty(networks, loopPicks, fc.boolean(), async (graph, picks, chosen) => {
          const planned = plan(graph, {
            dims: {},
            budget: { kind: 'min' },
            backend,
            ...(chosen ? { choose: (simple) => legalLoops(simple, picks) } : {}),
          });
          halos += planned.graph.nodes.filter((node) => node.kind === 'loop' && node.halos.length > 0).length;
          const { failures } = await comparePlan(planned, device);
          expect(failures).toEqual([]);
        }),
        { numRuns: backend === 'webgpu' ? 6 : 80, seed: 5 },
      );
    } finally {
      await device.destroy();
    }
    expect(halos).toBeGreaterThan(0);
  });
});
