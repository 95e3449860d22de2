#!/usr/bin/env node
/**
 * `npm run quality`: how good the plans are. Random programs × budgets: are budgets kept, are all loops of use, are peaks as
 * planned? Random small graphs, against the best of all plans: how far is the planner from it?
 */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { ensure } from '../scripts/ensure.mjs';
import { count } from './setup.mjs';

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '2000' },
    graphs: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: `${availableParallelism()}` },
    out: { type: 'string', default: 'bench/results/quality' },
  },
});
const asked = { programs: count('programs', values.programs, 0), graphs: count('graphs', values.graphs, 0) };
const [seed, jobs] = [count('seed', values.seed, 0), count('jobs', values.jobs)];

/** Graphs of more nodes have too many plans to look at all of them. */
const MAX_NODES = 10;
const MAX_STATEMENTS = 6;
/** Plans that are looked at for one optimum; a graph with more is put aside. */
const MOST_PLANS = 20_000;
/** So many programs are drawn for every graph that is small and that loops help. */
const DRAWN = 8;
const WORST = 5;

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
await ensure({ build: true });
const { observeMachine } = await import('../dist/cli/bench-machine.js');
const { writeFileAtomically } = await import('../dist/cli/write-file.js');
const { describeMachine, markdownTable } = await import('../dist/report/bench.js');
const { formatPercent } = await import('../dist/report/format.js');

const machine = observeMachine();
const started = performance.now();
const workers = Array.from({ length: jobs }, () => {
  const counts = { contract: asked.programs, small: DRAWN * asked.graphs };
  const workerData = { seed, counts, maxNodes: MAX_NODES, maxStatements: MAX_STATEMENTS, most: MOST_PLANS };
  return new Worker(new URL('./quality-run.mjs', import.meta.url), { workerData });
});

/** Cases of a kind in order, until enough of them count. */
async function collect(kind, most, enough, counts) {
  const cases = [];
  let next = 0;
  let counted = 0;
  let told = performance.now();
  await Promise.all(
    workers.map(async (worker) => {
      while (next < most && counted < enough) {
        worker.postMessage({ kind, k: next++ });
        const [done] = await once(worker, 'message');
        cases.push(done);
        if (counts(done.result)) counted++;
        if (performance.now() - told > 10_000) {
          told = performance.now();
          process.stderr.write(`${kind}: ${cases.length} programs, ${counted} count\n`);
        }
      }
    }),
  );
  return cases.sort((a, b) => a.k - b.k);
}

function contractReport(cases) {
  const all = cases.flatMap(({ k, result, source }) => result.map((one) => ({ k, source, ...one })));
  const planned = all.filter(({ isRefused }) => !isRefused);
  const sum = (pick) => all.reduce((total, one) => total + pick(one), 0);
  const failed = all.filter(({ failures }) => failures.length > 0);
  return {
    programs: cases.length,
    cases: all.length,
    refused: all.length - planned.length,
    plans: planned.length,
    withLoops: planned.filter(({ loops }) => loops > 0).length,
    loops: sum(({ loops }) => loops),
    overBudget: planned.filter(({ isOverBudget }) => isOverBudget).length,
    uselessLoops: sum(({ uselessLoops }) => uselessLoops),
    otherwise: failed.filter(({ isOverBudget, uselessLoops }) => !isOverBudget && uselessLoops === 0).length,
    failed,
  };
}

/** Upper ends of the bins of a histogram, as shares above the optimum. */
const BINS = [0, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, Number.POSITIVE_INFINITY];
const ROUNDING = 1e-9;

function distanceReport(cases, pick) {
  const found = cases.map(({ k, source, result }) => ({
    k,
    source,
    nodes: result.nodes,
    wholePeak: result.wholePeak,
    ...pick(result),
  }));
  const proven = found.filter(({ best }) => best.isProven);
  const within = (share) => proven.filter(({ above }) => above <= share + ROUNDING).length;
  const histogram = BINS.map((to, i) => ({ to, graphs: within(to) - (i === 0 ? 0 : within(BINS[i - 1])) }));
  const misses = proven.filter(({ above }) => above > ROUNDING).sort((a, b) => b.above - a.above);
  return {
    graphs: proven.length,
    putAside: found.length - proven.length,
    optimal: within(0),
    below: proven.filter(({ above }) => above < -ROUNDING).length,
    withinFivePercent: within(0.05),
    refused: proven.filter(({ planner }) => !planner).length,
    worst: misses[0]?.above ?? 0,
    histogram,
    misses,
  };
}

const contract = contractReport(
  await collect('contract', asked.programs, Number.POSITIVE_INFINITY, () => true),
);
const proven = (found) => found?.min.best.isProven && found.within.best.isProven;
const oracle = {};
for (const kind of ['exact', 'split']) {
  const cases = await collect(kind, DRAWN * asked.graphs, asked.graphs, proven);
  const counted = cases.filter(({ result }) => result);
  oracle[kind] = {
    drawn: cases.length,
    min: distanceReport(counted, ({ min }) => min),
    within: distanceReport(counted, ({ within }) => within),
  };
}
await Promise.all(workers.map((worker) => worker.terminate()));

const share = (part, whole) => (whole === 0 ? '—' : formatPercent(part / whole));
const range = ({ to }, i) =>
  to === 0
    ? 'none'
    : to === Number.POSITIVE_INFINITY
      ? 'more'
      : `${i === 1 ? 'to' : `${BINS[i - 1] * 100} –`} ${to * 100} %`;
const kinds = [
  ['exact', 'bits kept'],
  ['split', 'reductions split too'],
];
const modes = [
  ['min', 'peak, `min`'],
  ['within', 'cost, budget'],
];
const rows = kinds.flatMap(([kind, title]) =>
  modes.map(([mode, what]) => ({ title: `${what}, ${title}`, ...oracle[kind][mode] })),
);
const described = ({ k, source, nodes, wholePeak, budget, above, planner, best }) => [
  `### ${formatPercent(above)} above: program ${k}, ${nodes} nodes, ${wholePeak} bytes without loops${budget === undefined ? '' : `, budget ${budget} bytes`}`,
  '',
  '```ts',
  source.trimEnd(),
  '```',
  '',
  '```text',
  ...(planner
    ? [`planner   ${planner.peak} bytes, cost ${planner.cost}`, ...planner.choices.map((line) => `  ${line}`)]
    : ['planner   refuses the budget']),
  `optimum   ${best.peak} bytes, cost ${best.cost}`,
  ...(best.choices ?? []).map((line) => `  ${line}`),
  '```',
  '',
];
const report = {
  date: new Date().toISOString().slice(0, 10),
  command: `npm run quality -- --programs ${asked.programs} --graphs ${asked.graphs} --seed ${seed}`,
  machine: machine(),
  seconds: Math.round((performance.now() - started) / 1000),
  jobs,
  seed,
  maxNodes: MAX_NODES,
  mostPlans: MOST_PLANS,
  contract,
  oracle,
};
const page = [
  '# Quality of plans',
  '',
  `- date: ${report.date}`,
  `- command: \`${report.command}\``,
  `- machine: ${describeMachine(report.machine)}`,
  `- ${report.seconds} s in ${jobs} threads`,
  '',
  '## The budget is a contract',
  '',
  'Random programs, each planned for `min`, for bytes between that and its peak without loops, and for a share of the',
  'unchunked peak. A loop is useless when the plan without it is within the budget (for `min`: has the same peak).',
  '',
  ...markdownTable(
    [
      'programs',
      'budgets',
      'refused',
      'plans',
      'with loops',
      'loops',
      'over budget',
      'useless loops',
      'other failures',
    ],
    [
      [
        contract.programs,
        contract.cases,
        contract.refused,
        contract.plans,
        contract.withLoops,
        contract.loops,
        contract.overBudget,
        contract.uselessLoops,
        contract.otherwise,
      ].map(String),
    ],
  ),
  '',
  'Other failures: a peak measured that is not the planned one, an answer that changes, bytes that a run leaves behind, a',
  'budget refused that can be met.',
  '',
  ...contract.failed
    .slice(0, WORST)
    .flatMap(({ k, budget, failures, source }) => [
      `### Program ${k}, budget ${JSON.stringify(budget)}`,
      '',
      ...failures.map((line) => `- ${line}`),
      '',
      '```ts',
      source.trimEnd(),
      '```',
      '',
    ]),
  '## Distance to the optimum',
  '',
  `Random graphs of at most ${MAX_NODES} nodes whose peak loops lower, against the best of all plans: every connected convex region along`,
  'every axis in every chunk size, loops inside loops, two deep, any number of loops. Graphs with more than',
  `${MOST_PLANS} plans that cannot be ruled out are put aside. The planner may also compute values again, which the optimum does not: then it can be below.`,
  '',
  ...markdownTable(
    ['', 'graphs', 'put aside', 'optimal', 'below', 'within 5 %', 'worst'],
    rows.map((row) => [
      row.title,
      `${row.graphs}`,
      `${row.putAside}`,
      `${row.optimal} (${share(row.optimal, row.graphs)})`,
      `${row.below}`,
      `${row.withinFivePercent} (${share(row.withinFivePercent, row.graphs)})`,
      formatPercent(row.worst),
    ]),
  ),
  '',
  'Graphs by distance:',
  '',
  ...markdownTable(
    ['', ...BINS.map((to, i) => range({ to }, i))],
    rows.map((row) => [row.title, ...row.histogram.map(({ graphs }) => `${graphs}`)]),
  ),
  '',
  ...rows.flatMap((row) =>
    row.misses.length === 0
      ? []
      : [`## Worst cases: ${row.title}`, '', ...row.misses.slice(0, WORST).flatMap(described)],
  ),
].join('\n');
writeFileAtomically(`${values.out}.json`, `${JSON.stringify(report, null, 2)}\n`);
writeFileAtomically(`${values.out}.md`, page);
process.stdout.write(`${page}\n`);
