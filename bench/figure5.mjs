#!/usr/bin/env node
/**
 * `npm run bench`: peak memory and time of the four models of the paper's figure 5 at 50, 40 and 20 % of their activation
 * memory, sized for two slow cores. Options are those of `autochunk bench` and come last, so that they win.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensure } from '../scripts/ensure.mjs';

const SIZES = 'N=1024,B=1,N_seq=32,N_res=128,H=16,W=16,L=77';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
await ensure();
const { runCli } = await import('../dist/cli/cli.js');
const { enableRelaxedSimd } = await import('../dist/cli/device-options.js');
const { describeBench } = await import('../dist/report/bench.js');

const models = ['gpt2', 'vit', 'evoformer', 'unet'].map((name) => `bench/models/${name}.ts`);
const fixed = ['--dims', SIZES, '--backend', 'webasm', '--json', '--markdown', 'bench/results/figure5.md'];
enableRelaxedSimd();
let text = '';
const exitCode = await runCli(['bench', ...models, ...fixed, ...process.argv.slice(2)], {
  stdout: (chunk) => {
    text += chunk;
  },
  stderr: (chunk) => void process.stderr.write(chunk),
  color: false,
});
const report = text === '' ? undefined : JSON.parse(text);
if (report?.results) {
  writeFileSync('bench/results/figure5.json', text);
  process.stdout.write(describeBench(report));
}
process.exitCode = exitCode;
