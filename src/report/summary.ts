import { formatBytes } from '../ir/bytes.ts';
import { overAndKind } from '../ir/loop.ts';
import type { Estimate, LoopReport, Plan } from '../ir/plan.ts';
import { formatDims, formatPercent, formatSlowdown, formatTable } from './format.ts';

/** Where the cap on single storages is from: the user, the device, or what a backend offers on every device. */
export type CapSource = 'given' | 'device' | 'guaranteed';

/** What `--json` says about a plan. Bytes are integers; `predictedSlowdown` is a share of the unchunked time. */
export interface PlanSummary {
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly backend: string;
  readonly unchunkedPeakBytes: number;
  readonly plannedPeakBytes: number;
  readonly budgetBytes: number;
  readonly parameterBytes: number;
  readonly largestStorageBytes: number;
  /** The most predicted slowdown that was allowed; null where time did not matter. */
  readonly maxSlowdown: number | null;
  /** Null where no storage was too large. */
  readonly capBytes: number | null;
  readonly predictedMs: number;
  readonly predictedSlowdown: number;
  readonly peakAt: string;
  readonly loops: readonly LoopReport[];
}

export const summarisePlan = (plan: Plan): PlanSummary => ({
  model: plan.model,
  dims: plan.dims,
  backend: plan.backend,
  unchunkedPeakBytes: plan.unchunked.peakBytes,
  plannedPeakBytes: plan.planned.peakBytes,
  budgetBytes: plan.budgetBytes,
  parameterBytes: plan.planned.parameterBytes,
  largestStorageBytes: plan.planned.largestStorageBytes,
  maxSlowdown: plan.maxSlowdown ?? null,
  capBytes: plan.capBytes ?? null,
  predictedMs: 1000 * plan.predictedSeconds,
  predictedSlowdown: plan.predictedSlowdown,
  peakAt: peakLabel(plan.planned),
  loops: plan.loops,
});

/** The op or loop that runs when the most bytes are alive. */
export const peakLabel = (estimate: Estimate): string =>
  estimate.timeline[estimate.peakIndex]?.label ?? 'inputs';

/** A plan in a few lines for the terminal. */
export function describePlan(plan: Plan, capSource?: CapSource): string {
  const { unchunked, planned } = plan;
  const share = unchunked.peakBytes === 0 ? 1 : planned.peakBytes / unchunked.peakBytes;
  const budget = plan.budget.kind === 'min' ? 'min' : formatBytes(plan.budgetBytes);
  const title = [plan.model, formatDims(plan.dims), plan.backend].filter((text) => text !== '').join(' · ');
  const facts = formatTable([
    ['activation peak', `${formatBytes(planned.peakBytes)} at ${peakLabel(planned)}`],
    [
      'unchunked',
      `${formatBytes(unchunked.peakBytes)} at ${peakLabel(unchunked)}   (planned is ${formatPercent(share)} of it)`,
    ],
    [
      'budget',
      plan.maxSlowdown === undefined
        ? budget
        : `${budget}, at most ${formatSlowdown(plan.maxSlowdown)} predicted time`,
    ],
    ...(plan.capBytes === undefined
      ? []
      : [['cap', `${formatBytes(plan.capBytes)}${capSource ? ` (${capSource})` : ''} on a single storage`]]),
    ['parameters', `${formatBytes(planned.parameterBytes)}, counted apart`],
    ['predicted time', formatSlowdown(plan.predictedSlowdown)],
  ]);
  const loops = formatTable(
    plan.loops.map((loop) => [
      `${'  '.repeat(loop.depth)}${loop.id}`,
      loop.path === '' ? '(top)' : loop.path,
      `${overAndKind(loop)}: ${loop.extent} = ${loop.chunks} × ${loop.chunkSize}`,
      `saves ${formatBytes(loop.savesBytes)} at ${loop.savesAt}`,
    ]),
  );
  const listed = loops.length === 0 ? ['no loop is needed'] : loops;
  return [title, ...facts.map((line) => `  ${line}`), ...listed.map((line) => `  ${line}`), ''].join('\n');
}
