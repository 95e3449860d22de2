import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const run = (script: string, ...options: string[]) => {
  const { status, stderr } = spawnSync(process.execPath, [`bench/${script}.mjs`, ...options], {
    encoding: 'utf8',
  });
  return { status, stderr };
};

describe('benchmarks', () => {
  it.each(['compile-time', 'figure5', 'micro', 'quality'])(
    'say what is wrong with the options of %s, without a stack',
    (script) => {
      expect(run(script, '--frobnicate')).toEqual({
        status: 2,
        stderr: expect.stringMatching(/^error: Unknown option '--frobnicate'.*\n$/),
      });
    },
  );

  it('take no number that is none', () => {
    const stderr = 'error: --rounds: expected an integer of at least 1, got "x"\n';
    expect(run('compile-time', '--rounds', 'x')).toEqual({ status: 2, stderr });
  });
});
