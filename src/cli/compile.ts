import { join } from 'node:path';
import type { Command } from 'commander';
import { compileGraph } from '../compile.ts';
import { parseBudget } from '../compiler/budget.ts';
import { paretoPlans } from '../compiler/pareto.ts';
import { UserError } from '../errors.ts';
import type { Bindings } from '../ir/dims.ts';
import { formatMs } from '../report/format.ts';
import { describePareto, paretoJson } from '../report/pareto.ts';
import { describePlan, summarisePlan } from '../report/summary.ts';
import { chooseBackend } from './backend.ts';
import { DEFAULT_BUDGET_HELP, withBudget } from './budget.ts';
import { checkDims, parseDims } from './dims.ts';
import { green, type Io, printJson, progress } from './io.ts';
import { CONFIG_HELP, loadModel } from './load-model.ts';
import { displayPath } from './load-module.ts';
import { collect, parseBackend, parseCap } from './options.ts';
import { writeFileAtomically } from './write-file.ts';

export interface CompileFlags {
  readonly dims?: readonly string[];
  readonly budget?: string;
  readonly config?: string;
  readonly cap?: string;
  readonly backend: string;
  readonly out?: string;
  readonly pareto?: true;
  readonly json?: true;
}

export function addCompile(program: Command, io: Io): void {
  program
    .command('compile')
    .description('Plan chunk loops that meet a memory budget and write the TypeScript module that runs them.')
    .argument('<model>', 'path/to/model.ts or path/to/model.ts#export')
    .option('--dims <N=size,…>', 'sizes of the named dimensions (repeatable)', collect)
    .option(
      '--budget <budget>',
      `activation memory: a share of the unchunked peak (20%), bytes (512MiB) or min (default: ${DEFAULT_BUDGET_HELP})`,
    )
    .option('--cap <bytes>', 'largest single storage the target device can bind, e.g. 128MiB')
    .option(
      '--backend <name>',
      'whose cost model to use: webgpu, webasm, cpu, or auto (this machine)',
      'webasm',
    )
    .option('--out <file>', 'the module to write (default: generated/<model>.<dims>.ts)')
    .option('--pareto', 'write no module: list the plans that none beats in both memory and predicted time')
    .option('--config <file>', CONFIG_HELP)
    .option('--json', 'print one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  autochunk compile models/llama/model.ts --dims N=512 --budget 20%')
    .action((reference: string, flags: CompileFlags) => compile(reference, flags, io));
}

async function compile(reference: string, flags: CompileFlags, io: Io): Promise<void> {
  const started = performance.now();
  const dims = parseDims(flags.dims ?? []);
  if (flags.budget !== undefined) parseBudget(flags.budget);
  if (flags.out === '') throw new UserError('--out: expected a file name', { exitCode: 2 });
  if (flags.pareto && (flags.budget !== undefined || flags.out !== undefined)) {
    throw new UserError(
      '--pareto plans for many budgets and writes no module: leave out --budget and --out',
      {
        exitCode: 2,
      },
    );
  }
  const cap = parseCap(flags.cap);
  const asked = parseBackend(flags.backend);
  const { graph, file } = await loadModel(reference, { config: flags.config });
  checkDims(graph, dims);
  const backend = asked ?? (await chooseBackend());
  progress(io, `compiling ${graph.name} from ${displayPath(file)}`);
  if (flags.pareto) {
    const plans = paretoPlans(graph, { dims, backend, ...(cap === undefined ? {} : { cap }) });
    if (flags.json) printJson(io, paretoJson(plans));
    else io.stdout(describePareto(plans));
    return;
  }
  const { plan, source } = await withBudget(flags.budget, io, (budget) =>
    compileGraph(graph, {
      dims,
      budget,
      backend,
      modelFile: displayPath(file),
      ...(cap === undefined ? {} : { cap }),
    }),
  );
  const path = flags.out ?? join('generated', moduleName(plan.model, dims));
  const compileMs = performance.now() - started;
  writeFileAtomically(path, source);
  const modulePath = displayPath(path);
  if (flags.json) {
    printJson(io, { ...summarisePlan(plan), compileMs, modulePath, passes: plan.passes });
    return;
  }
  io.stdout(describePlan(plan));
  io.stdout(`${green(io, 'wrote')} ${modulePath}   (${formatMs(compileMs)})\n`);
}

/** `llama.n512.ts`: characters that files do not like become `_`. */
export const moduleName = (model: string, dims: Bindings): string => {
  const parts = [model, ...Object.entries(dims).map(([name, size]) => `${name.toLowerCase()}${size}`)];
  return `${parts.join('.').replace(/[^\w.$-]/g, '_')}.ts`;
};
