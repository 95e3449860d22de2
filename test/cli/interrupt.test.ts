import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { mainFile, useCli } from './support.ts';

/** Seconds of work in many iterations. */
const SLOW = `import { defineModel, f32, matmul, nn, softmax, transpose } from 'autochunk';

export const slow = defineModel('slow', { x: f32('N', 64) }, ({ x }) => {
  const scores = matmul(nn.linear('q', x, 64), transpose(nn.linear('k', x, 64), 0, 1));
  return { y: matmul(softmax(scores, -1), nn.linear('v', x, 64)) };
});
`;

describe('Ctrl-C', () => {
  const cli = useCli();

  it('ends a run with exit code 130; no file is left behind', { timeout: 120_000 }, async () => {
    cli.write('slow.ts', SLOW);
    const before = cli.snapshot();
    const argv = [
      'run',
      'slow.ts',
      '--dims',
      'N=3000',
      '--budget',
      '10%',
      '--backend',
      'cpu',
      '--out',
      'y.safetensors',
    ];
    const child = spawn(process.execPath, [mainFile, ...argv, '--variant', 'chunked'], { cwd: cli.folder });
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => {
      if (!stderr.includes('running chunked') && String(text).includes('running chunked'))
        setTimeout(() => child.kill('SIGINT'), 500);
      stderr += text;
    });
    const [code] = (await once(child, 'exit')) as [number];
    expect(stderr).toMatch(/interrupted\n$/);
    expect(code).toBe(130);
    expect(cli.snapshot()).toBe(before);
  });
});
