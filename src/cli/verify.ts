import type { Command } from 'commander';
import { parseBudget } from '../compiler/budget.ts';
import { plan as planGraph } from '../compiler/pipeline.ts';
import { UserError } from '../errors.ts';
import { formatBytes } from '../ir/bytes.ts';
import type { Bindings } from '../ir/dims.ts';
import type { Graph } from '../ir/node.ts';
import type { Budget, Plan } from '../ir/plan.ts';
import { formatDims, formatMs, plural } from '../report/format.ts';
import { type Device, openDevice } from '../runtime/index.ts';
import { randomData, randomSource } from '../testing/random.ts';
import {
  BACKEND_OPTION,
  type DeviceFlags,
  KERNELS_OPTION,
  parseDevice,
  THREADS_OPTION,
} from './device-options.ts';
import { checkDims, hasRange, parseDims, parseRanges } from './dims.ts';
import { CommandFailed, green, type Io, printJson, progress } from './io.ts';
import { COST_MODEL_HELP, type Limits, readLimits } from './limits.ts';
import { CONFIG_HELP, loadModel } from './load-model.ts';
import { collect, EXACT, NO_FUSE, parseCount } from './options.ts';
import type { Case, Checker } from './verify-case.ts';
import { RangeChecker } from './verify-range.ts';

interface VerifyFlags extends DeviceFlags {
  readonly exact?: true;
  readonly fuse: boolean;
  readonly dims?: readonly string[];
  readonly budget?: string;
  readonly config?: string;
  readonly costModel?: string;
  readonly runs: string;
  readonly seed: string;
  readonly json?: true;
}

/** Sizes drawn for named dimensions that `--dims` leaves open. */
const LARGEST_DIM = 96;
/** Draws of sizes that the model itself may refuse before verify gives up. */
const DRAWS = 20;
/** Consecutive cases share their sizes, because planning costs more than running. */
const CASES_PER_DRAW = 5;

export function addVerify(program: Command, io: Io): void {
  program
    .command('verify')
    .description(
      'Check on random data: chunked = unchunked bit for bit (to rounding where sums are split), planned peak = measured peak to the byte.',
    )
    .argument('<model>', 'path/to/model.ts or path/to/model.ts#export')
    .option('--runs <n>', 'random cases', '100')
    .option('--seed <n>', 'seed of the first case; case i has seed + i', '1')
    .option(
      '--dims <N=size,…>',
      `fix sizes (repeatable); the others are drawn from 1 … ${LARGEST_DIM}. A range (N=1..64) checks the module for it`,
      collect,
    )
    .option(
      '--budget <budget>',
      'fix the budget (default: drawn between the smallest reachable and the unchunked peak)',
    )
    .option(...BACKEND_OPTION)
    .option(...KERNELS_OPTION)
    .option(...THREADS_OPTION)
    .option('--cost-model <file>', COST_MODEL_HELP)
    .option('--config <file>', CONFIG_HELP)
    .option(...EXACT)
    .option(...NO_FUSE)
    .option('--json', 'print one JSON document on stdout')
    .addHelpText(
      'after',
      `
Examples:
  autochunk verify models/llama/model.ts --runs 100 --seed 7
  autochunk verify models/llama/model.ts --dims N=1..200 --budget 1MiB`,
    )
    .action((reference: string, flags: VerifyFlags) => verify(reference, flags, io));
}

interface Failure extends Case {
  readonly failures: readonly string[];
  /** The command that runs this case alone. */
  readonly reproduce: string;
}

async function verify(reference: string, flags: VerifyFlags, io: Io): Promise<void> {
  const started = performance.now();
  const runs = parseCount('--runs', flags.runs, 1, 1_000_000);
  const seed = parseCount('--seed', flags.seed, 0, 2 ** 31);
  const given = parseRanges(flags.dims ?? []);
  const budget = flags.budget === undefined ? undefined : parseBudget(flags.budget);
  const asked = parseDevice(flags);
  const { graph } = await loadModel(reference, { config: flags.config });
  const unknown = Object.keys(given).filter((name) => !graph.dims.includes(name));
  if (unknown.length > 0) {
    const has =
      graph.dims.length > 0 ? `its dimensions are ${graph.dims.join(', ')}` : 'it has no named dimension';
    throw new UserError(`model ${graph.name} has no dimension ${unknown.join(', ')}: ${has}`, {
      exitCode: 2,
    });
  }
  if (hasRange(given)) checkDims(graph, given);
  const device = await openDevice(asked);
  const cases: Case[] = [];
  let failure: Failure | undefined;
  try {
    const { capSource: _, cap: __, ...limits } = await readLimits(flags, device.backend, io);
    const subject: Checker = hasRange(given)
      ? await RangeChecker.compile(graph, device, given, flags.budget, io)
      : new Subject(graph, device, parseDims(flags.dims ?? []), budget, limits);
    for (let i = 0; i < runs && !failure; i++) {
      const { result, failures } = await subject.check(seed + i);
      if (failures.length > 0)
        failure = { ...result, failures, reproduce: reproduction(reference, flags, result.seed, device) };
      else cases.push(result);
      if ((i + 1) % 10 === 0 && !failure) progress(io, `${i + 1} of ${runs} cases`);
    }
  } finally {
    await device.destroy();
  }
  const withLoops = cases.filter((entry) => entry.loops > 0).length;
  const ms = performance.now() - started;
  if (flags.json) {
    const { backend, adapter } = device;
    const ok = failure === undefined;
    printJson(io, {
      model: graph.name,
      backend,
      adapter,
      seed,
      runs,
      passed: cases.length,
      withLoops,
      ms,
      ok,
      failure: failure ?? null,
    });
  } else if (!failure) {
    const spread = cases.map((entry) => entry.plannedPeakBytes / entry.unchunkedPeakBytes);
    const least = (100 * Math.min(...spread)).toFixed(0);
    io.stdout(
      `${green(io, 'ok')} ${graph.name} on ${device.backend}: ${plural(cases.length, 'case')} from seed ${seed}, ${withLoops} with loops, down to ${least} % of the unchunked peak (${formatMs(ms)})\n` +
        '   chunked = unchunked bit for bit; planned = measured peak to the byte; ' +
        (hasRange(given)
          ? 'one module at all sizes, within its budget\n'
          : 'a budget below the smallest peak is refused\n'),
    );
  } else {
    io.stdout(
      [
        `FAILED ${graph.name} on ${device.backend}, case seed ${failure.seed} (${cases.length} passed before it)`,
        `  dims ${formatDims(failure.dims) || 'none'}, budget ${formatBytes(failure.budgetBytes)}, ${plural(failure.loops, 'loop')}`,
        ...failure.failures.map((line) => `  ${line}`),
        `  again: ${failure.reproduce}`,
        '',
      ].join('\n'),
    );
  }
  if (failure) throw new CommandFailed(`verification failed at seed ${failure.seed}: ${failure.failures[0]}`);
}

const reproduction = (reference: string, flags: VerifyFlags, seed: number, device: Device): string =>
  [
    `autochunk verify ${reference} --runs 1 --seed ${seed} --backend ${device.backend} --kernels ${flags.kernels} --threads ${device.threads}`,
    ...(flags.dims ?? []).map((dims) => `--dims ${dims}`),
    ...(flags.budget === undefined ? [] : [`--budget ${flags.budget}`]),
    ...(flags.costModel === undefined ? [] : [`--cost-model ${flags.costModel}`]),
    ...(flags.exact ? ['--exact'] : []),
    ...(flags.fuse ? [] : ['--no-fuse']),
  ].join(' ');

/** What the options say of plans. */
type PlanLimits = Omit<Limits, 'cap' | 'capSource'>;

/** The model under test; plans are kept for as long as consecutive cases share their sizes. */
class Subject implements Checker {
  private readonly graph: Graph;
  private readonly device: Device;
  private readonly fixed: Bindings;
  private readonly budget: Budget | undefined;
  private readonly limits: PlanLimits;
  private drawn: { key: string; smallest: Plan } | undefined;

  constructor(graph: Graph, device: Device, fixed: Bindings, budget: Budget | undefined, limits: PlanLimits) {
    this.limits = limits;
    this.graph = graph;
    this.device = device;
    this.fixed = fixed;
    this.budget = budget;
  }

  /** Everything about a case follows from its seed. */
  async check(seed: number): Promise<{ result: Case; failures: string[] }> {
    const next = randomSource(seed);
    const { dims, smallest } = this.draw(Math.floor(seed / CASES_PER_DRAW));
    const { plan, failures } = this.plan(dims, smallest, next);
    // On demand, with the TypeScript compiler that it loads generated modules with.
    const { comparePlan } = await import('../testing/compare.ts');
    const comparison = await comparePlan(plan, this.device, randomData(plan.graph, seed));
    failures.push(...comparison.failures);
    if (plan.planned.peakBytes > plan.budgetBytes) {
      failures.push(
        `planned peak ${plan.planned.peakBytes} bytes is over the budget of ${plan.budgetBytes} bytes`,
      );
    }
    const result: Case = {
      seed,
      dims,
      budgetBytes: plan.budgetBytes,
      unchunkedPeakBytes: plan.unchunked.peakBytes,
      plannedPeakBytes: plan.planned.peakBytes,
      loops: plan.loops.length,
    };
    return { result, failures };
  }

  /** Sizes that the model accepts, and its plan for the smallest budget. */
  private draw(group: number): { dims: Bindings; smallest: Plan } {
    const next = randomSource(group);
    let refusal: unknown;
    for (let draw = 0; draw < DRAWS; draw++) {
      const open = this.graph.dims.map((name) => [name, 1 + Math.floor(next() * LARGEST_DIM)] as const);
      const dims: Bindings = { ...Object.fromEntries(open), ...this.fixed };
      const key = JSON.stringify(dims);
      if (this.drawn?.key === key) return { dims, smallest: this.drawn.smallest };
      try {
        const smallest = this.planFor(dims, { kind: 'min' });
        this.drawn = { key, smallest };
        return { dims, smallest };
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        refusal = error;
        if (open.length === 0) break;
      }
    }
    const reason = refusal instanceof Error ? refusal.message : String(refusal);
    throw new UserError(`no sizes found that ${this.graph.name} accepts (fix them with --dims): ${reason}`, {
      cause: refusal,
    });
  }

  private plan(dims: Bindings, smallest: Plan, next: () => number): { plan: Plan; failures: string[] } {
    if (this.budget) return { plan: this.planFor(dims, this.budget), failures: [] };
    const least = smallest.planned.peakBytes;
    const failures: string[] = [];
    if (next() < 0.25) {
      if (!this.refuses(dims, least - 1))
        failures.push(`a budget of ${least - 1} bytes, one below the smallest peak, is accepted`);
      return { plan: smallest, failures };
    }
    // Squared, so that tight budgets, where the loops are, come up more often.
    const bytes = least + Math.floor((smallest.unchunked.peakBytes - least) * next() ** 2);
    return { plan: this.planFor(dims, { kind: 'bytes', bytes }), failures };
  }

  private planFor(dims: Bindings, budget: Budget): Plan {
    const { backend } = this.device;
    return planGraph(this.graph, { dims, budget, backend, ...this.limits });
  }

  private refuses(dims: Bindings, bytes: number): boolean {
    try {
      this.planFor(dims, { kind: 'bytes', bytes });
      return false;
    } catch (error) {
      if (error instanceof UserError) return true;
      throw error;
    }
  }
}
