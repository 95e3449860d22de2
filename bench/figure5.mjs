#!/usr/bin/env node
/**
 * `npm run bench:figure5`: peak memory and time of the four models of the paper's figure 5 at 50, 40 and 20 % of their activation
 * memory and as low as they go, sized for two slow cores. `--size long` adds a second length of each. Writes bench/results/figure5.md
 * and figure5.json; figure5-webgpu with `--backend webgpu`.
 */
import { parseArgs } from 'node:util';
import { checkSize, commandLine, count, misused, reportFile, setUp } from './setup.mjs';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: 'short' },
    backend: { type: 'string', default: 'webasm' },
    budget: { type: 'string', default: '50%,40%,20%,min' },
    rounds: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    note: { type: 'string' },
  },
});
const { backend } = values;
if (!['webasm', 'webgpu', 'cpu'].includes(backend))
  misused(`--backend: expected webasm, webgpu or cpu, got "${backend}"`);
checkSize(values.size);
const rounds = count('rounds', values.rounds);
const seed = count('seed', values.seed);

await setUp();
const { trace } = await import('autochunk');
const { enableRelaxedSimd } = await import('../dist/cli/device-options.js');
const { benchModel } = await import('../dist/cli/bench-model.js');
const { observeMachine } = await import('../dist/cli/bench-machine.js');
const { writeFileAtomically } = await import('../dist/cli/write-file.js');
const { benchMarkdown, describeBench } = await import('../dist/report/bench.js');
const { FIGURE5 } = await import('./figure5-cases.ts');
const { ofSize } = await import('./sizes.ts');
if (backend === 'webasm') enableRelaxedSimd();
const { openDevice } = await import('autochunk/runtime');

const machine = observeMachine();
const probe = await openDevice({ backend });
const { adapter, maxStorageBytes } = probe;
await probe.destroy();
const results = [];
for (const { reference, model, dims } of ofSize(FIGURE5, values.size)) {
  const found = await benchModel(trace(model), {
    dims,
    budgets: values.budget.split(',').map((budget) => budget.trim()),
    backend,
    kernels: 'tuned',
    threads: undefined,
    adapter,
    maxStorageBytes,
    rounds,
    seed,
    reference,
    modelFile: reference,
    onProgress: (text) => process.stderr.write(`${text}\n`),
  });
  results.push(...found);
}
const report = {
  date: new Date().toISOString().slice(0, 10),
  command: commandLine('bench:figure5'),
  machine: machine(),
  note: values.note ?? null,
  rounds,
  seed,
  results,
};
const file = reportFile('figure5', backend, values.size);
writeFileAtomically(`${file}.json`, `${JSON.stringify(report, null, 2)}\n`);
writeFileAtomically(`${file}.md`, benchMarkdown(report));
process.stdout.write(describeBench(report));

const measured = results.filter(({ outOfReach }) => outOfReach === null);
for (const { model, budget, chunked, close, maxAbsDiff } of measured) {
  const faults = [
    ...(chunked.measuredPeakBytes === chunked.plannedPeakBytes
      ? []
      : [`planned ${chunked.plannedPeakBytes} bytes, measured ${chunked.measuredPeakBytes}`]),
    ...(close === false ? [`outputs differ from the unchunked ones by up to ${maxAbsDiff}`] : []),
  ];
  for (const fault of faults) {
    process.stderr.write(`error: ${model} within ${budget}: ${fault}\n`);
    process.exitCode = 1;
  }
}
