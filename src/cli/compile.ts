import { join } from 'node:path';
import type { Command } from 'commander';
import { type CompileOptions, compileGraph, generate, planOptions } from '../compile.ts';
import { alternativePlans } from '../compiler/alternatives.ts';
import { parseBudget } from '../compiler/budget.ts';
import { paretoPlans } from '../compiler/pareto.ts';
import { UserError } from '../errors.ts';
import type { Graph } from '../ir/node.ts';
import type { Plan } from '../ir/plan.ts';
import { formatMs } from '../report/format.ts';
import { describeMeasured, measuredJson } from '../report/measured.ts';
import { describePareto, paretoJson } from '../report/pareto.ts';
import { describePlan, summarisePlan } from '../report/summary.ts';
import { chooseBackend } from './backend.ts';
import { DEFAULT_BUDGET_HELP, withBudget } from './budget.ts';
import { compileForRange } from './compile-range.ts';
import { checkDims, hasRange, parseDims, parseRanges } from './dims.ts';
import { green, type Io, printJson, progress } from './io.ts';
import { CAP_HELP, COST_MODEL_HELP, checkParameters, readLimits } from './limits.ts';
import { CONFIG_HELP, loadModel } from './load-model.ts';
import { displayPath } from './load-module.ts';
import { type Measured, MOST_MEASURED, measurePlans } from './measure.ts';
import { moduleName } from './module-name.ts';
import { collect, EXACT, NO_FUSE, parseBackend, parseCount, parseSlowdown } from './options.ts';
import { writeFileAtomically } from './write-file.ts';

export interface CompileFlags {
  readonly exact?: true;
  readonly fuse: boolean;
  readonly dims?: readonly string[];
  readonly budget?: string;
  readonly config?: string;
  readonly cap?: string;
  readonly costModel?: string;
  readonly backend: string;
  readonly out?: string;
  readonly pareto?: true;
  readonly maxSlowdown?: string;
  readonly measure?: string;
  readonly json?: true;
}

export function addCompile(program: Command, io: Io): void {
  program
    .command('compile')
    .description('Plan chunk loops that meet a memory budget and write the TypeScript module that runs them.')
    .argument('<model>', 'path/to/model.ts or path/to/model.ts#export')
    .option(
      '--dims <N=size,…>',
      'sizes of the named dimensions (repeatable); one may be a range: N=1..8192',
      collect,
    )
    .option(
      '--budget <budget>',
      `activation memory: a share of the unchunked peak (20%), bytes (512MiB) or min (default: ${DEFAULT_BUDGET_HELP})`,
    )
    .option('--cap <bytes>', CAP_HELP)
    .option(
      '--backend <name>',
      'whose cost model to use: webgpu, webasm, cpu, or auto (this machine)',
      'webasm',
    )
    .option('--cost-model <file>', COST_MODEL_HELP)
    .option('--out <file>', 'the module to write (default: generated/<model>.<dims>.ts)')
    .option(
      '--max-slowdown <percent>',
      'least memory with at most so much more predicted time, e.g. 5%; with --budget: keep both',
    )
    .option('--measure <k>', 'run the k best different plans for the budget on the device, keep the fastest')
    .option('--pareto', 'write no module: list the plans that none beats in both memory and predicted time')
    .option('--config <file>', CONFIG_HELP)
    .option(...EXACT)
    .option(...NO_FUSE)
    .option('--json', 'print one JSON document on stdout')
    .addHelpText(
      'after',
      `
Examples:
  autochunk compile models/llama/model.ts --dims N=512 --budget 20%
  autochunk compile models/llama/model.ts --dims N=1..8192 --budget 64MiB`,
    )
    .action((reference: string, flags: CompileFlags) => compile(reference, flags, io));
}

async function compile(reference: string, flags: CompileFlags, io: Io): Promise<void> {
  const started = performance.now();
  const ranges = parseRanges(flags.dims ?? []);
  if (flags.budget !== undefined) parseBudget(flags.budget);
  if (flags.out === '') throw new UserError('--out: expected a file name', { exitCode: 2 });
  const maxSlowdown = parseSlowdown(flags.maxSlowdown);
  const measure =
    flags.measure === undefined ? undefined : parseCount('--measure', flags.measure, 1, MOST_MEASURED);
  checkModes(flags);
  const backend = parseBackend(flags.backend) ?? (await chooseBackend());
  const { capSource, ...limits } = await readLimits(flags, backend, io);
  const { graph, file } = await loadModel(reference, { config: flags.config });
  checkDims(graph, ranges);
  progress(io, `compiling ${graph.name} from ${displayPath(file)}`);
  if (hasRange(ranges)) {
    const options = { dims: ranges, backend, modelFile: displayPath(file) };
    await compileForRange(graph, options, { ...limits, capSource }, flags, started, io);
    return;
  }
  const dims = parseDims(flags.dims ?? []);
  if (flags.pareto) {
    const plans = paretoPlans(graph, { dims, backend, ...limits });
    if (flags.json) printJson(io, paretoJson(plans));
    else io.stdout(describePareto(plans));
    return;
  }
  const modelFile = displayPath(file);
  const wished = flags.budget ?? (maxSlowdown === undefined ? undefined : 'min');
  const { plan, source, measured } = await withBudget(wished, io, async (budget): Promise<Compiled> => {
    const options = { dims, budget, backend, modelFile, ...limits };
    if (measure !== undefined) return compileMeasured(graph, options, measure, io);
    return compileGraph(graph, { ...options, ...(maxSlowdown === undefined ? {} : { maxSlowdown }) });
  });
  checkParameters(plan, { ...limits, capSource }, io);
  const path = flags.out ?? join('generated', moduleName(plan.model, dims));
  const compileMs = performance.now() - started;
  writeFileAtomically(path, source);
  const modulePath = displayPath(path);
  if (flags.json) {
    const more = measured ? { measured: measuredJson(measured) } : {};
    printJson(io, { ...summarisePlan(plan), capSource, compileMs, modulePath, passes: plan.passes, ...more });
    return;
  }
  if (measured) io.stdout(describeMeasured(measured));
  io.stdout(describePlan(plan, capSource));
  io.stdout(`${green(io, 'wrote')} ${modulePath}   (${formatMs(compileMs)})\n`);
}

interface Compiled {
  readonly plan: Plan;
  readonly source: string;
  /** What `--measure` ran. */
  readonly measured?: Measured;
}

/** The fastest of the best plans for a budget, as the device has it. */
async function compileMeasured(
  graph: Graph,
  options: CompileOptions,
  count: number,
  io: Io,
): Promise<Compiled> {
  const plans = alternativePlans(graph, { dims: options.dims ?? {}, ...planOptions(options) }, count);
  const measured = await measurePlans(plans, (text) => progress(io, text));
  const { plan } = measured.fastest;
  return { plan, source: await generate(plan, options.modelFile), measured };
}

/** @throws UserError (bad usage) for options that ask for different things */
function checkModes({ pareto, budget, out, measure, maxSlowdown }: CompileFlags): void {
  const usage = (message: string): UserError => new UserError(message, { exitCode: 2 });
  if (pareto && (budget ?? out ?? measure ?? maxSlowdown) !== undefined) {
    throw usage(
      '--pareto plans for many budgets and writes no module: leave out --budget, --max-slowdown, --measure and --out',
    );
  }
  if (measure !== undefined && maxSlowdown !== undefined)
    throw usage(
      '--measure keeps the fastest plan as measured, --max-slowdown the smallest as predicted: choose one',
    );
}
