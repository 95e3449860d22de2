import { compileGraph, generate, planGraph, unchunkedPlan } from '../compile.ts';
import { BudgetError, budgetBytes, parseBudget } from '../compiler/budget.ts';
import type { CostModel } from '../compiler/cost/cost-model.ts';
import type { Bindings } from '../ir/dims.ts';
import type { Graph } from '../ir/node.ts';
import type { Backend } from '../ir/ops/op.ts';
import { isExact, type Plan } from '../ir/plan.ts';
import type { BenchMeasured, BenchRefused, BenchResult, BenchVariant } from '../report/bench.ts';
import { summarisePlan } from '../report/summary.ts';
import type { KernelChoice } from '../runtime/index.ts';
import { randomData } from '../testing/random.ts';
import { compareOutputs } from './outputs.ts';
import { type RunResult, Session } from './session.ts';
import { signatureOf } from './signature.ts';

export interface BenchSettings {
  readonly splitReductions?: boolean;
  readonly fuse?: boolean;
  readonly dims: Bindings;
  /** Texts that `parseBudget` reads. */
  readonly budgets: readonly string[];
  readonly backend: Backend;
  readonly kernels: KernelChoice;
  /** Undefined: as many as there are cores. */
  readonly threads: number | undefined;
  readonly adapter: string;
  /** Largest single storage of the device. */
  readonly maxStorageBytes: number;
  /** Default: what autochunk ships for the backend. */
  readonly costModel?: CostModel;
  /** Timed runs of every variant. */
  readonly rounds: number;
  readonly seed: number;
  /** `path/to/model.ts#export`. */
  readonly reference: string;
  readonly modelFile: string;
  readonly onProgress: (text: string) => void;
}

/** A program on a device of its own. */
interface Contestant {
  readonly session: Session;
  readonly plannedPeakBytes: number;
  /** Of every run so far; the first one is not timed. */
  readonly runs: { readonly peakBytes: number; readonly ms: number; readonly cpuMs: number }[];
  /** Of the last run. */
  outputs: RunResult['outputs'];
}

/** A budget that can be met: its plan, until it has run. */
interface Entry {
  readonly budget: string;
  readonly plan: Plan;
  readonly source: string;
  readonly compileMs: number;
}

/**
 * Runs a model unchunked and within each budget, all side by side: every round runs every variant once, in an order that
 * alternates, so that what disturbs the machine disturbs all of them alike. One result for each budget, in the order given.
 *
 * @throws UserError for dimensions that do not fit the model
 */
export async function benchModel(graph: Graph, settings: BenchSettings): Promise<BenchResult[]> {
  const { dims, backend, kernels, threads, adapter, budgets, rounds, seed, fuse = true } = settings;
  const whole = { kind: 'share', share: 1 } as const;
  const baseline = unchunkedPlan(planGraph(graph, { dims, backend, budget: whole, fuse }));
  const common = {
    reference: settings.reference,
    model: graph.name,
    dims,
    backend,
    adapter,
    unchunkedPeakBytes: baseline.unchunked.peakBytes,
    parameterBytes: baseline.unchunked.parameterBytes,
  };
  const prepared: (Entry | Omit<BenchRefused, 'unchunked'>)[] = [];
  for (const budget of budgets) {
    settings.onProgress(`${graph.name}: compiling for ${budget}`);
    try {
      prepared.push(await prepare(graph, budget, settings));
    } catch (error) {
      if (!(error instanceof BudgetError)) throw error;
      const { smallestPeakBytes, message } = error;
      const bytes = budgetBytes(parseBudget(budget), common.unchunkedPeakBytes) ?? smallestPeakBytes;
      prepared.push({ ...common, budget, budgetBytes: bytes, outOfReach: { smallestPeakBytes, message } });
    }
  }

  const signature = signatureOf(baseline.graph);
  const data = randomData(signature, seed);
  const contestants: Contestant[] = [];
  const join = async (source: string, plannedPeakBytes: number): Promise<Contestant> => {
    const session = await Session.open({ backend, kernels, threads }, source, signature, data);
    const contestant: Contestant = { session, plannedPeakBytes, runs: [], outputs: {} };
    contestants.push(contestant);
    return contestant;
  };
  try {
    const fits = baseline.unchunked.largestStorageBytes <= settings.maxStorageBytes;
    const unlooped = fits ? await join(await generate(baseline), baseline.planned.peakBytes) : undefined;
    const entered = new Map<Entry, Contestant>();
    for (const entry of prepared)
      if ('plan' in entry) entered.set(entry, await join(entry.source, entry.plan.planned.peakBytes));
    for (let round = 0; round <= rounds; round++) {
      settings.onProgress(`${graph.name}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`);
      const order = round % 2 === 0 ? contestants : [...contestants].reverse();
      for (const contestant of order) await runOnce(contestant);
    }
    const unchunked = unlooped ? summarise(unlooped) : null;
    return prepared.map((entry): BenchResult => {
      if (!('plan' in entry)) return { ...entry, unchunked };
      return { ...common, ...measured(entry, entered.get(entry) as Contestant, unlooped), unchunked };
    });
  } finally {
    for (const { session } of contestants) await session.close();
  }
}

async function prepare(graph: Graph, budget: string, settings: BenchSettings): Promise<Entry> {
  const {
    dims,
    backend,
    maxStorageBytes: cap,
    modelFile,
    costModel,
    splitReductions = true,
    fuse = true,
  } = settings;
  const started = performance.now();
  const { plan, source } = await compileGraph(graph, {
    dims,
    backend,
    budget,
    cap,
    modelFile,
    ...(costModel ? { costModel } : {}),
    splitReductions,
    fuse,
  });
  return { budget, plan, source, compileMs: performance.now() - started };
}

async function runOnce(contestant: Contestant): Promise<void> {
  const before = process.cpuUsage();
  const { outputs, measuredPeakBytes: peakBytes, ms } = await contestant.session.run();
  const { user, system } = process.cpuUsage(before);
  contestant.runs.push({ peakBytes, ms, cpuMs: (user + system) / 1000 });
  contestant.outputs = outputs;
}

function summarise({ session, plannedPeakBytes, runs }: Contestant): BenchVariant {
  const timed = runs.slice(1);
  const [ms, cpuMs] = [timed.map((run) => run.ms), timed.map((run) => run.cpuMs)];
  return {
    plannedPeakBytes,
    measuredPeakBytes: Math.max(...runs.map((run) => run.peakBytes)),
    reservedBytes: session.device.memory.reservedBytes,
    medianMs: quantile(ms, 0.5),
    ms,
    medianCpuMs: quantile(cpuMs, 0.5),
    cpuMs,
  };
}

function measured(
  { budget, plan, compileMs }: Entry,
  contestant: Contestant,
  whole: Contestant | undefined,
): Omit<BenchMeasured, 'reference' | 'adapter' | 'unchunked'> {
  const chunked = summarise(contestant);
  const unchunked = whole ? summarise(whole) : undefined;
  const ratios = unchunked ? pairwise(chunked.ms, unchunked.ms) : undefined;
  const difference = whole ? compareOutputs(whole.outputs, contestant.outputs, isExact(plan)) : undefined;
  const kernels = [...(whole?.session.kernels ?? []), ...contestant.session.kernels].sort();
  return {
    ...summarisePlan(plan),
    budget,
    outOfReach: null,
    peakShare: plan.planned.peakBytes / plan.unchunked.peakBytes,
    compileMs,
    chunked,
    slowdown: ratios ? quantile(ratios, 0.5) : null,
    slowdownQuartiles: ratios ? [quantile(ratios, 0.25), quantile(ratios, 0.75)] : null,
    cpuSlowdown: unchunked ? quantile(pairwise(chunked.cpuMs, unchunked.cpuMs), 0.5) : null,
    maxAbsDiff: difference?.maxAbsDiff ?? null,
    identical: difference?.identical ?? null,
    close: difference?.close ?? null,
    threads: contestant.session.device.threads,
    kernels: Object.fromEntries(kernels),
  };
}

/** By how much each time exceeds the other one of its round, as a share. */
const pairwise = (times: readonly number[], baseline: readonly number[]): number[] =>
  times.map((time, round) => time / (baseline[round] as number) - 1);

/** The value below which a share `q` of the values lies, interpolated between neighbours. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = q * (sorted.length - 1);
  const below = sorted[Math.floor(place)] as number;
  const above = sorted[Math.ceil(place)] as number;
  return below + (above - below) * (place - Math.floor(place));
}
