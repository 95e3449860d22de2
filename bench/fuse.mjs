#!/usr/bin/env node
/**
 * `npm run bench:fuse [-- --rounds N --backend webasm --model NAME]`: what fusing elementwise ops saves, without loops and within
 * 30 %. Runs of both alternate in one process, on one thread; the least processor time of each counts, and outputs must be
 * the same to the bit.
 */
import { parseArgs } from 'node:util';
import { count, misused, setUp } from './setup.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    backend: { type: 'string', default: 'webasm' },
    model: { type: 'string' },
  },
});
const rounds = count('rounds', values.rounds);

await setUp();
const { generate, planGraph, trace, unchunkedPlan } = await import('autochunk');
const { Session } = await import('../dist/cli/session.js');
const { signatureOf } = await import('../dist/cli/signature.js');
const { formatBytes } = await import('../dist/ir/bytes.js');
const { randomData } = await import('../dist/testing/random.js');
const { stories260K } = await import('../models/llama/model.ts');

const cases = [
  { model: stories260K, dims: { N: 512 } },
  { model: (await import('./models/gpt2.ts')).default, dims: { N: 512 } },
  { model: (await import('./models/evoformer.ts')).default, dims: { N_seq: 32, N_res: 64 } },
  { model: (await import('./models/unet.ts')).default, dims: { B: 1, H: 32, W: 32, L: 16 } },
];
const chosen = cases.filter(({ model }) => values.model === undefined || trace(model).name === values.model);
if (chosen.length === 0)
  misused(
    `--model: expected one of ${cases.map(({ model }) => trace(model).name).join(', ')}, got "${values.model}"`,
  );
const BUDGETS = ['unchunked', '30%'];

const same = (a, b) =>
  Object.entries(a).every(([name, { data }]) =>
    data.every((value, i) => Object.is(value, b[name].data[i]) || value === b[name].data[i]),
  );

for (const { model, dims } of chosen) {
  const graph = trace(model);
  for (const budget of BUDGETS) {
    const entries = [];
    for (const fuse of [false, true]) {
      const whole = budget === 'unchunked';
      const options = { dims, backend: values.backend, fuse, splitReductions: false };
      const found = planGraph(graph, { ...options, budget: whole ? '100%' : budget });
      const plan = whole ? unchunkedPlan(found) : found;
      const signature = signatureOf(plan.graph);
      const data = randomData(signature, 1);
      const session = await Session.open(
        { backend: values.backend, threads: 1 },
        await generate(plan),
        signature,
        data,
      );
      entries.push({ plan, session, best: Number.POSITIVE_INFINITY });
    }
    for (let round = 0; round <= rounds; round++) {
      for (const entry of round % 2 === 0 ? entries : [...entries].reverse()) {
        const before = process.cpuUsage();
        const { outputs } = await entry.session.run();
        const { user, system } = process.cpuUsage(before);
        if (round > 0) entry.best = Math.min(entry.best, (user + system) / 1000);
        entry.outputs = outputs;
      }
    }
    const [apart, fused] = entries;
    if (!same(apart.outputs, fused.outputs)) throw new Error(`${graph.name}: fused outputs differ`);
    const kernels = ({ plan }) => {
      const count = (steps) =>
        steps.reduce((n, step) => n + (step.kind === 'loop' ? count(step.steps) : step.kind === 'call'), 0);
      return count(plan.program.steps);
    };
    const column = (entry) =>
      `${entry.best.toFixed(1).padStart(8)} ms ${String(kernels(entry)).padStart(4)} kernels, ` +
      `peak ${formatBytes(entry.plan.planned.peakBytes).padStart(8)}`;
    console.log(
      `${graph.name.padEnd(12)} ${budget.padEnd(10)} apart ${column(apart)}   fused ${column(fused)}   ` +
        `time ${((fused.best / apart.best - 1) * 100).toFixed(1)} %`,
    );
    for (const { session } of entries) await session.close();
  }
}
