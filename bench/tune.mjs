#!/usr/bin/env node
/**
 * `npm run tune`: fits the cost models that autochunk ships, on this machine. Writes `bench/results/tune-<backend>.json`
 * with all samples, and `src/compiler/cost/cost-models/<backend>.ts` without them. Run it when nothing else wants the machine.
 *
 * Options are those of `autochunk tune`; `--backend` chooses one (default: webasm and cpu). A software adapter of WebGPU
 * tells nothing about GPUs: its fit is kept in `bench/results` alone.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setUp } from './setup.mjs';

await setUp();
const { runCli } = await import('../dist/cli/cli.js');
const { enableRelaxedSimd } = await import('../dist/cli/device-options.js');
const { readCostModel } = await import('../dist/compiler/cost/read-cost-model.js');
enableRelaxedSimd();

const given = process.argv.slice(2);
const at = given.indexOf('--backend');
const [backends, options] =
  at < 0 ? [['webasm', 'cpu'], given] : [[given[at + 1]], [...given.slice(0, at), ...given.slice(at + 2)]];
const io = {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  color: false,
};
for (const backend of backends) {
  const samples = `bench/results/tune-${backend}.json`;
  process.exitCode = await runCli(['tune', '--backend', backend, '--out', samples, ...options], io);
  if (process.exitCode !== 0) break;
  const model = readCostModel(JSON.parse(readFileSync(samples, 'utf8')), samples);
  if (!model.adapter.includes('(software)')) {
    const source = `src/compiler/cost/cost-models/${backend}.ts`;
    writeFileSync(
      source,
      `import type { CostModel } from '../cost-model.ts';\n\n/** Written by \`npm run tune\`; its samples are in \`${samples}\`. */\nexport const ${backend}: CostModel = ${JSON.stringify(model)};\n`,
    );
    spawnSync(process.execPath, ['node_modules/@biomejs/biome/bin/biome', 'format', '--write', source], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
}
