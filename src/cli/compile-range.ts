import { join } from 'node:path';
import { compileRange, type RangeCompileOptions } from '../compile.ts';
import { UserError } from '../errors.ts';
import type { Graph } from '../ir/node.ts';
import { formatMs } from '../report/format.ts';
import { describeRange, summariseRange } from '../report/range-summary.ts';
import { withBudget } from './budget.ts';
import { green, type Io, printJson } from './io.ts';
import { checkParameters, type Limits } from './limits.ts';
import { displayPath } from './load-module.ts';
import { moduleName } from './module-name.ts';
import { writeFileAtomically } from './write-file.ts';

interface Flags {
  readonly budget?: string;
  readonly out?: string;
  readonly pareto?: true;
  readonly maxSlowdown?: string;
  readonly measure?: string;
  readonly json?: true;
}

/** `compile` where one dimension has a range. */
export async function compileForRange(
  graph: Graph,
  options: Pick<RangeCompileOptions, 'dims' | 'backend' | 'modelFile'>,
  limits: Limits,
  flags: Flags,
  started: number,
  io: Io,
): Promise<void> {
  const odd = flags.pareto ? '--pareto' : flags.measure ? '--measure' : flags.maxSlowdown && '--max-slowdown';
  if (odd) {
    throw new UserError(`${odd} is for one size of every dimension: give --dims no range`, { exitCode: 2 });
  }
  const { capSource, ...constraints } = limits;
  const { plan, source } = await withBudget(flags.budget, io, (budget) =>
    compileRange(graph, { ...options, ...constraints, budget }),
  );
  checkParameters(plan, limits, io);
  const path = flags.out ?? join('generated', moduleName(plan.model, options.dims));
  const compileMs = performance.now() - started;
  writeFileAtomically(path, source);
  const modulePath = displayPath(path);
  if (flags.json) {
    printJson(io, { ...summariseRange(plan), capSource, compileMs, modulePath, passes: plan.passes });
    return;
  }
  io.stdout(describeRange(plan));
  io.stdout(`${green(io, 'wrote')} ${modulePath}   (${formatMs(compileMs)})\n`);
}
