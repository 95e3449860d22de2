#!/usr/bin/env node
/**
 * `npm run bench:resident`: what a process takes from the system, unchunked and within a budget, each in a fresh process.
 * The plan saves activations; the resident memory of the process has to fall by at least 80 % of that.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { count, setUp } from './setup.mjs';

const LEAST_SHARE = 0.8;
const { values } = parseArgs({
  options: {
    n: { type: 'string', default: '3072' },
    budget: { type: 'string', default: '20%' },
    rounds: { type: 'string', default: '3' },
  },
});
const [N, rounds] = [count('n', values.n), count('rounds', values.rounds)];

await setUp();
const { generate, planGraph, trace, unchunkedPlan } = await import('autochunk');
const { writeFileAtomically } = await import('../dist/cli/write-file.js');
const { formatBytes } = await import('../dist/ir/bytes.js');
const { default: gpt2 } = await import('./models/gpt2.ts');

const plan = planGraph(trace(gpt2), {
  dims: { N },
  budget: values.budget,
  backend: 'webasm',
});
const folder = mkdtempSync(join(tmpdir(), 'autochunk-resident-'));
const variants = { unchunked: unchunkedPlan(plan), chunked: plan };
const measured = {};
try {
  for (const [name, variant] of Object.entries(variants)) {
    const module = join(folder, `${name}.ts`);
    writeFileSync(module, await generate(variant));
    const runs = Array.from({ length: rounds }, () =>
      JSON.parse(execFileSync(process.execPath, ['bench/resident-run.mjs', module], { encoding: 'utf8' })),
    );
    runs.sort((a, b) => a.residentBytes - b.residentBytes);
    measured[name] = runs[runs.length >> 1];
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const { unchunked, chunked } = measured;
const plannedSaving = unchunked.peakBytes - chunked.peakBytes;
const saving = unchunked.residentBytes - chunked.residentBytes;
const result = {
  model: `gpt2 (2 layers, 256 wide), N = ${N}`,
  backend: 'webasm',
  budget: values.budget,
  rounds,
  unchunked,
  chunked,
  plannedSavingBytes: plannedSaving,
  residentSavingBytes: saving,
  share: saving / plannedSaving,
};
writeFileAtomically('bench/results/resident.json', `${JSON.stringify(result, null, 2)}\n`);
for (const [name, run] of Object.entries(measured)) {
  console.log(
    `${name.padEnd(9)}  peak ${formatBytes(run.peakBytes).padStart(8)}   reserved ${formatBytes(run.reservedBytes).padStart(8)}   ` +
      `resident ${formatBytes(run.residentBytes).padStart(8)}`,
  );
}
console.log(
  `the plan saves ${formatBytes(plannedSaving)}, the process ${formatBytes(saving)}: ${(100 * result.share).toFixed(1)} %`,
);
if (!(result.share >= LEAST_SHARE)) process.exitCode = 1;
