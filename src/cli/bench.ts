import type { Command } from 'commander';
import { parseBudget } from '../compiler/budget.ts';
import { UserError } from '../errors.ts';
import type { Bindings } from '../ir/dims.ts';
import {
  type BenchReport,
  type BenchResult,
  type BenchVariant,
  benchMarkdown,
  describeBench,
} from '../report/bench.ts';
import { openDevice } from '../runtime/index.ts';
import { observeMachine } from './bench-machine.ts';
import { benchModel } from './bench-model.ts';
import {
  BACKEND_OPTION,
  type DeviceFlags,
  KERNELS_OPTION,
  parseDevice,
  THREADS_OPTION,
} from './device-options.ts';
import { checkDims, parseDims } from './dims.ts';
import { CommandFailed, green, type Io, printJson, progress } from './io.ts';
import { COST_MODEL_HELP, readLimits } from './limits.ts';
import { type LoadedModel, loadModel } from './load-model.ts';
import { displayPath } from './load-module.ts';
import { collect, EXACT, NO_FUSE, parseCount } from './options.ts';
import { writeFileAtomically } from './write-file.ts';

interface BenchFlags extends DeviceFlags {
  readonly exact?: true;
  readonly fuse: boolean;
  readonly dims?: readonly string[];
  readonly budget?: readonly string[];
  readonly costModel?: string;
  readonly rounds: string;
  readonly seed: string;
  readonly markdown?: string;
  readonly note?: string;
  readonly json?: true;
}

/** The budgets of the paper's figure 5. */
const DEFAULT_BUDGETS = '50%,40%,20%';

export function addBench(program: Command, io: Io): void {
  program
    .command('bench')
    .description(
      'Peak memory and time of models within budgets, side by side with the whole model in one process.',
    )
    .argument('<model...>', 'path/to/model.ts or path/to/model.ts#export')
    .option('--dims <N=size,…>', 'sizes of the named dimensions of all models (repeatable)', collect)
    .option(
      '--budget <list>',
      `budgets such as 20%,64MiB,min (repeatable; default: ${DEFAULT_BUDGETS})`,
      collect,
    )
    .option(...BACKEND_OPTION)
    .option(...KERNELS_OPTION)
    .option(...THREADS_OPTION)
    .option('--cost-model <file>', COST_MODEL_HELP)
    .option('--rounds <n>', 'timed runs of each variant, alternating, after one that is not timed', '7')
    .option('--seed <n>', 'seed of random inputs and parameters', '1')
    .option('--markdown <file>', 'also write the report as Markdown')
    .option('--note <text>', 'a remark about the run, kept in the report')
    .option(...EXACT)
    .option(...NO_FUSE)
    .option('--json', 'print one JSON document on stdout')
    .addHelpText(
      'after',
      '\nExample:\n  autochunk bench models/llama/model.ts --dims N=512 --budget 50%,20% --markdown bench.md',
    )
    .action((references: readonly string[], flags: BenchFlags) => bench(references, flags, io));
}

async function bench(references: readonly string[], flags: BenchFlags, io: Io): Promise<void> {
  const machine = observeMachine();
  const rounds = parseCount('--rounds', flags.rounds, 1, 1000);
  const seed = parseCount('--seed', flags.seed, 0, 2 ** 32 - 1);
  const asked = parseDevice(flags);
  const budgets = (flags.budget ?? [DEFAULT_BUDGETS]).flatMap((list) => list.split(','));
  for (const budget of budgets) parseBudget(budget);
  if (flags.markdown === '') throw new UserError('--markdown: expected a file name', { exitCode: 2 });
  const models: LoadedModel[] = [];
  for (const reference of references) models.push(await loadModel(reference));
  const sizes = shareDims(models, parseDims(flags.dims ?? []));

  const probe = await openDevice(asked);
  const { backend, adapter, maxStorageBytes } = probe;
  await probe.destroy();
  const { costModel, splitReductions, fuse } = await readLimits(flags, backend, io);
  const results: BenchResult[] = [];
  for (const [i, { graph, file }] of models.entries()) {
    const found = await benchModel(graph, {
      dims: sizes[i] as Bindings,
      budgets: budgets.map((budget) => budget.trim()),
      backend,
      kernels: asked.kernels,
      threads: asked.threads,
      adapter,
      maxStorageBytes,
      ...(costModel ? { costModel } : {}),
      splitReductions,
      fuse,
      rounds,
      seed,
      reference: references[i] as string,
      modelFile: displayPath(file),
      onProgress: (text) => progress(io, text),
    });
    results.push(...found);
  }

  const report: BenchReport = {
    date: new Date().toISOString().slice(0, 10),
    command: commandOf(references, flags),
    machine: machine(),
    note: flags.note ?? null,
    rounds,
    seed,
    results,
  };
  if (flags.markdown !== undefined) writeFileAtomically(flags.markdown, benchMarkdown(report));
  if (flags.json) {
    // With one result its fields stand at the top too, as those of `run` do.
    printJson(io, results.length === 1 ? { ...results[0], ...report } : report);
  } else {
    io.stdout(describeBench(report));
    if (flags.markdown !== undefined) io.stdout(`${green(io, 'wrote')} ${displayPath(flags.markdown)}\n`);
  }
  const faults = results.flatMap(faultsOf);
  if (faults.length > 0)
    throw new CommandFailed(`${[...new Set(faults)].join('; ')} (a defect in autochunk; please report it)`);
}

/** The sizes each model takes: a dimension is set wherever a model has one of that name. */
function shareDims(models: readonly LoadedModel[], dims: Bindings): Bindings[] {
  const known = new Set(models.flatMap(({ graph }) => graph.dims));
  const unknown = Object.entries(dims).filter(([name]) => !known.has(name));
  return models.map(({ graph }) => {
    const own = Object.entries(dims).filter(([name]) => graph.dims.includes(name));
    const sizes = Object.fromEntries([...own, ...unknown]);
    checkDims(graph, sizes);
    return sizes;
  });
}

/** Promises that a result breaks. */
function faultsOf(result: BenchResult): string[] {
  const label = `${result.model} within ${result.budget}`;
  const faults = [
    ...peakFault(`${result.model} unchunked`, result.unchunked),
    ...peakFault(label, result.outOfReach ? null : result.chunked),
  ];
  if (!result.outOfReach && result.close === false)
    faults.push(`${label}: outputs differ from the unchunked ones by up to ${result.maxAbsDiff}`);
  return faults;
}

const peakFault = (label: string, variant: BenchVariant | null): string[] =>
  variant === null || variant.measuredPeakBytes === variant.plannedPeakBytes
    ? []
    : [`${label} was planned at ${variant.plannedPeakBytes} bytes and took ${variant.measuredPeakBytes}`];

/** The command that does the same again, without where its report went. */
function commandOf(references: readonly string[], flags: BenchFlags): string {
  const options = [
    ...(flags.dims ?? []).map((dims) => `--dims ${dims}`),
    ...(flags.budget ?? []).map((budget) => `--budget ${budget}`),
    `--backend ${flags.backend}`,
    `--kernels ${flags.kernels}`,
    ...(flags.threads === undefined ? [] : [`--threads ${flags.threads}`]),
    `--rounds ${flags.rounds}`,
    `--seed ${flags.seed}`,
  ];
  return ['autochunk bench', ...references, ...options].join(' ');
}
