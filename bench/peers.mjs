#!/usr/bin/env node
/**
 * `npm run bench:peers`: autochunk beside TensorFlow.js, jax-js and onnxruntime-web, with the same weights and inputs. Time in one
 * process, alternating; memory of each in a fresh process; outputs compared. Writes bench/results/peers.md and peers.json.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { peerNames } from './compare/contestants.mjs';
import { planName } from './compare/plan-names.mjs';
import { comparisonPage, faultsOf, summarise } from './compare/report.mjs';
import { checkSize, commandLine, count, misused, reportFile, setUp } from './setup.mjs';

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'webasm' },
    size: { type: 'string', default: 'short' },
    cases: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    patience: { type: 'string', default: '10' },
    note: { type: 'string' },
  },
});
const { backend } = values;
if (!['webasm', 'webgpu'].includes(backend))
  misused(`--backend: expected webasm or webgpu, got "${backend}"`);
checkSize(values.size);
const rounds = count('rounds', values.rounds);
const patience = count('patience', values.patience);

await setUp({ peers: true });
const { observeMachine } = await import('../dist/cli/bench-machine.js');
const { writeFileAtomically } = await import('../dist/cli/write-file.js');
const { describeMachine, markdownTable } = await import('../dist/report/bench.js');
const { CASES } = await import('./compare/cases.ts');
const { ofSize } = await import('./sizes.ts');
const { prepareCase } = await import('./compare/prepare.mjs');

const known = CASES.map(({ name }) => name);
const wanted = values.cases?.split(',') ?? ofSize(CASES, values.size).map(({ name }) => name);
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0)
  misused(`--cases: no case is named ${unknown.join(', ')}; there are ${known.join(', ')}`);

const machine = observeMachine();
const results = [];
for (const entry of CASES.filter(({ name }) => wanted.includes(name))) results.push(await compare(entry));

const report = {
  title: `autochunk beside other libraries on ${backend}, in Node`,
  date: new Date().toISOString().slice(0, 10),
  command: commandLine('bench:peers'),
  machine: machine(),
  note: values.note ?? null,
  rounds,
  patienceSeconds: patience,
  results,
};
const page = comparisonPage(report, { describeMachine, markdownTable });
const file = reportFile('peers', backend, values.size);
writeFileAtomically(`${file}.json`, `${JSON.stringify(report, null, 2)}\n`);
writeFileAtomically(`${file}.md`, page);
process.stdout.write(page);
const faults = results.flatMap(faultsOf);
for (const fault of faults) process.stderr.write(`error: ${fault}\n`);
process.exit(faults.length > 0 ? 1 : 0);

async function compare(entry) {
  process.stderr.write(`${entry.title}\n`);
  const folder = mkdtempSync(join(tmpdir(), 'autochunk-peers-'));
  try {
    const plans = await prepareCase(entry, backend, folder);
    const contestants = [...plans.map(({ label }) => planName(label)), ...peerNames(backend)];
    const alternating = child('alternate', {
      folder,
      backend,
      contestants,
      rounds,
      patienceMs: patience * 1000,
    });
    const found = alternating.map((one, i) => ({
      ...one,
      ...(plans[i] ? { plannedPeakBytes: plans[i].plannedPeakBytes } : {}),
    }));
    const measured = found.map((one) => {
      if (one.error !== null) return { ...one, alone: null };
      process.stderr.write(`  ${one.name}: alone\n`);
      const alone = child('alone', { folder, backend, contestant: one.name });
      return { ...one, alone, peakBytes: alone.peakBytes };
    });
    return { case: entry.name, title: entry.title, dims: entry.dims, contestants: summarise(measured) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a script of bench/compare in a process of its own and reads what it prints. */
function child(script, argument) {
  const text = execFileSync(process.execPath, [`bench/compare/${script}.mjs`, JSON.stringify(argument)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 2],
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(text.slice(text.lastIndexOf('\n') + 1));
}
