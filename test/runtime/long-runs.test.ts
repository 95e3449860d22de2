import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildDist } from '../cli/support.ts';
import { testBackends } from '../support/backends.ts';

const MIB = 2 ** 20;
/** What a process may grow by between a fifth of the runs and the last of them: compiled code and collections, not a leak by the run. */
const NOISE = { webasm: 16 * MIB, cpu: 16 * MIB, webgpu: 48 * MIB } as const;
const RUNS = { webasm: 1000, cpu: 1000, webgpu: 200 } as const;
const script = fileURLToPath(new URL('./long-runs.mjs', import.meta.url));

interface Samples {
  readonly inputBytes: number;
  /** Most bytes alive after a run. */
  readonly live: number;
  /** After every tenth of the runs. */
  readonly samples: readonly { readonly reserved: number; readonly rss: number }[];
}

describe('one run after the other', () => {
  beforeAll(buildDist);

  it.each(testBackends)('on %s nothing grows', { timeout: 240_000 }, async (backend) => {
    const args = ['--expose-gc', script, backend, String(RUNS[backend])];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { inputBytes, live, samples } = JSON.parse(stdout) as Samples;
    expect(live).toBe(inputBytes);
    expect(new Set(samples.map(({ reserved }) => reserved)).size).toBe(1);
    // The first tenth of the runs warms up.
    const middle = (of: Samples['samples']): number =>
      of.map(({ rss }) => rss).sort((a, b) => a - b)[1] as number;
    const grown = middle(samples.slice(-3)) - middle(samples.slice(1, 4));
    console.log(
      `${RUNS[backend]} runs on ${backend}: resident ${samples.map(({ rss }) => (rss / MIB).toFixed(0)).join(' ')} MiB`,
    );
    expect(grown).toBeLessThanOrEqual(NOISE[backend]);
  });
});
