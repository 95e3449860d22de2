#!/usr/bin/env node
/** `npm run bench:compile`: what compiling takes, pass by pass, for deep models. No weights, no runs. */
import { parseArgs } from 'node:util';
import { count, setUp } from './setup.mjs';

const BUDGET = '20%';
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, note: { type: 'string' } },
});
const rounds = count('rounds', values.rounds);

await setUp();
const { generate, planGraph, trace } = await import('autochunk');
const { observeMachine } = await import('../dist/cli/bench-machine.js');
const { writeFileAtomically } = await import('../dist/cli/write-file.js');
const { quantile } = await import('../dist/cli/bench-model.js');
const { describeMachine, markdownTable } = await import('../dist/report/bench.js');
const { bytesOf } = await import('../dist/compiler/memory/estimate.js');
const { formatBytes } = await import('../dist/ir/bytes.js');
const { formatPercent, plural } = await import('../dist/report/format.js');
const { GPT2_MEDIUM, GPT2_SMALL } = await import('../models/gpt2/config.ts');
const { gpt2 } = await import('../models/gpt2/model.ts');
const { ALPHAFOLD2 } = await import('../models/evoformer/config.ts');
const { evoformerStack } = await import('../models/evoformer/model.ts');

const gpt = (name, layers, config, N) => ({
  name: `${name}, ${plural(layers, 'layer')}`,
  layers,
  dims: { N },
  model: () => gpt2('gpt2', { ...config, n_layer: layers, n_positions: N }, { logits: 'last' }),
});
const evoformer = (layers, budget = BUDGET) => ({
  name: `Evoformer, ${plural(layers, 'block')}`,
  layers,
  dims: { N_seq: 128, N_res: 256 },
  budget,
  model: () => evoformerStack('evoformer', { ...ALPHAFOLD2, no_blocks: layers }),
});
const cases = [
  ...[1024, 2048].flatMap((N) => [1, 4, 8, 24, 48].map((layers) => gpt('GPT-2', layers, GPT2_SMALL, N))),
  gpt('GPT-2 medium', 24, GPT2_MEDIUM, 1024),
  ...[1, 24, 48].map((layers) => evoformer(layers)),
  ...['50%', '40%'].map((budget) => evoformer(48, budget)),
];

/** Milliseconds of every pass of one compilation, in order, and of processor time altogether. */
async function compile({ model, dims, budget = BUDGET }) {
  const before = process.cpuUsage();
  const passes = [];
  const timed = async (name, run) => {
    const started = performance.now();
    const result = await run();
    passes.push({ name, ms: performance.now() - started });
    return result;
  };
  const graph = await timed('trace', () => trace(model()));
  const plan = planGraph(graph, { dims, budget, backend: 'webasm' });
  passes.push(...plan.passes);
  const source = await timed('generate', () => generate(plan));
  const { user, system } = process.cpuUsage(before);
  return { plan, passes, cpuMs: (user + system) / 1000, lines: source.split('\n').length };
}

/** Of the arena and of the inputs beside it. */
const reservedBytes = ({ arena, program: { inputs } }) =>
  inputs
    .filter(({ donated }) => !donated)
    .reduce((bytes, { shape }) => bytes + bytesOf(shape, {}), arena.bytes);
const sizes = (dims) =>
  Object.entries(dims)
    .map(([name, size]) => `${name} = ${size}`)
    .join(', ');

const machine = observeMachine();
const started = performance.now();
await compile(cases[0]);
const firstMs = performance.now() - started;

const results = [];
for (const entry of cases) {
  process.stderr.write(`${entry.name}, ${sizes(entry.dims)}\n`);
  const compiled = [];
  const { plan, ...first } = await compile(entry);
  const { passes, lines } = first;
  compiled.push(first);
  // Plans of deep models are large: they are not kept beside those that are measured.
  while (compiled.length < rounds) compiled.push({ ...(await compile(entry)), plan: undefined });
  const median = (pick) => quantile(compiled.map(pick), 0.5);
  results.push({
    model: entry.name,
    layers: entry.layers,
    dims: entry.dims,
    budget: entry.budget ?? BUDGET,
    nodes: plan.graph.nodes.length,
    unchunkedPeakBytes: plan.unchunked.peakBytes,
    plannedPeakBytes: plan.planned.peakBytes,
    reservedBytes: reservedBytes(plan),
    loops: plan.loops.length,
    lines,
    totalMs: median((one) => one.passes.reduce((sum, { ms }) => sum + ms, 0)),
    cpuMs: median((one) => one.cpuMs),
    passes: passes.map(({ name }, i) => ({ name, ms: median((one) => one.passes[i].ms) })),
  });
}

const report = {
  date: new Date().toISOString().slice(0, 10),
  command: `npm run bench:compile -- --rounds ${rounds}`,
  machine: machine(),
  note: values.note ?? null,
  rounds,
  firstMs,
  results,
};
const ms = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));
const header = [
  'model',
  'size',
  'budget',
  'unchunked',
  'planned',
  'share',
  'reserved ÷ planned',
  'loops',
  'lines',
  'total',
  'processor',
];
const table = markdownTable(
  [...header, ...results[0].passes.map(({ name }) => name)],
  results.map((result) => [
    result.model,
    sizes(result.dims),
    result.budget,
    formatBytes(result.unchunkedPeakBytes),
    formatBytes(result.plannedPeakBytes),
    formatPercent(result.plannedPeakBytes / result.unchunkedPeakBytes),
    (result.reservedBytes / result.plannedPeakBytes).toFixed(3),
    `${result.loops}`,
    `${result.lines}`,
    ms(result.totalMs),
    ms(result.cpuMs),
    ...result.passes.map((pass) => ms(pass.ms)),
  ]),
);
const page = [
  '# Compile time',
  '',
  `- date: ${report.date}`,
  `- command: \`${report.command}\``,
  `- machine: ${describeMachine(report.machine)}`,
  ...(report.note === null ? [] : [`- note: ${report.note}`]),
  `- budgets are shares of the unchunked peak, cost model of webasm, ${rounds} rounds; the first compilation of the process (one layer), not counted, took ${ms(firstMs)} ms`,
  '',
  'Milliseconds, medians, from the model as a function to the text of the generated module: on the clock in total and for',
  'every pass; `processor` is the processor time of all threads, which a busy machine disturbs less.',
  '',
  ...table,
  '',
].join('\n');
writeFileAtomically('bench/results/compile-time.json', `${JSON.stringify(report, null, 2)}\n`);
writeFileAtomically('bench/results/compile-time.md', page);
process.stdout.write(`${page}\n`);
