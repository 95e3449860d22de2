import { formatBytes } from '../ir/bytes.ts';
import type { RangeEnd, RangePlan } from '../ir/range-plan.ts';
import { formatPercent, formatSlowdown, formatTable } from './format.ts';
import { type PlanSummary, peakLabel } from './summary.ts';

/** What `--json` says about a plan for a range. What has no size beside it holds at the upper end. */
export interface RangeSummary extends Omit<PlanSummary, 'dims'> {
  /** Sizes, and `[from, to]` for the dimension that has a range. */
  readonly dims: Readonly<Record<string, number | readonly [from: number, to: number]>>;
  readonly ends: readonly RangeEnd[];
  readonly chunks: readonly {
    readonly name: string;
    readonly size: number;
    readonly loops: readonly string[];
  }[];
}

export const summariseRange = (plan: RangePlan): RangeSummary => ({
  model: plan.model,
  dims: { [plan.over]: [plan.range.from, plan.range.to], ...plan.dims },
  backend: plan.backend,
  unchunkedPeakBytes: plan.unchunked.peakBytes,
  plannedPeakBytes: plan.planned.peakBytes,
  budgetBytes: plan.budgetBytes,
  parameterBytes: plan.planned.parameterBytes,
  largestStorageBytes: plan.planned.largestStorageBytes,
  maxSlowdown: null,
  capBytes: plan.capBytes ?? null,
  predictedMs: 1000 * plan.predictedSeconds,
  predictedSlowdown: plan.predictedSlowdown,
  peakAt: peakLabel(plan.planned),
  loops: plan.loops,
  ends: plan.ends,
  chunks: plan.rules.map(({ name, loops }) => ({ name, size: plan.sizes[name] as number, loops })),
});

/** A plan for a range in a few lines for the terminal. */
export function describeRange(plan: RangePlan): string {
  const { over, range, ends } = plan;
  const fixed = Object.entries(plan.dims).map(([name, size]) => `${name} = ${size}`);
  const title = [plan.model, `${over} = ${range.from} … ${range.to}`, ...fixed, plan.backend];
  const peaks = ends.map(({ size, plannedPeakBytes, unchunkedPeakBytes }, i) => {
    const share = formatPercent(plannedPeakBytes / unchunkedPeakBytes);
    const peak = `${formatBytes(plannedPeakBytes)} at ${over} = ${size}   (unchunked ${formatBytes(unchunkedPeakBytes)}: ${share})`;
    return [i === 0 ? 'activation peak' : '', peak];
  });
  const facts = formatTable([
    ...peaks,
    ['budget', `${formatBytes(plan.budgetBytes)}, kept at every ${over}`],
    ['parameters', `${formatBytes(plan.planned.parameterBytes)}, counted apart`],
    ['predicted time', `${formatSlowdown(plan.predictedSlowdown)} at ${over} = ${range.to}`],
  ]);
  const chunk = (id: string): string => plan.rules.find(({ loops }) => loops.includes(id))?.name ?? '';
  const loops = formatTable(
    plan.loops.map((loop) => [
      `${'  '.repeat(loop.depth)}${loop.id}`,
      loop.path === '' ? '(top)' : loop.path,
      `${loop.over} by ${chunk(loop.id)}: ${loop.extent} = ${loop.chunks} × ${loop.chunkSize}`,
      `saves ${formatBytes(loop.savesBytes)} at ${loop.savesAt}`,
    ]),
  );
  const listed = loops.length === 0 ? ['no loop is needed'] : loops;
  return [
    title.join(' · '),
    ...facts.map((line) => `  ${line}`),
    ...listed.map((line) => `  ${line}`),
    '',
  ].join('\n');
}
