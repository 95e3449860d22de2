import { formatBytes } from '../ir/bytes.ts';
import type { LoopReport, Plan } from '../ir/plan.ts';
import { formatMs, formatSlowdown, formatTable } from './format.ts';

/** A plan that ran. */
export interface MeasuredPlan {
  readonly plan: Plan;
  readonly medianMs: number;
}

/** What `compile --measure` found. */
export interface Measured {
  /** Null where the device cannot hold the model without loops. */
  readonly unchunkedMs: number | null;
  /** By predicted time. */
  readonly plans: readonly MeasuredPlan[];
  readonly fastest: MeasuredPlan;
}

/** One entry a plan, in the order of predicted times. */
export const measuredJson = ({ unchunkedMs, plans, fastest }: Measured) => ({
  unchunkedMs,
  plans: plans.map((one) => ({
    plannedPeakBytes: one.plan.planned.peakBytes,
    predictedMs: 1000 * one.plan.predictedSeconds,
    predictedSlowdown: one.plan.predictedSlowdown,
    medianMs: one.medianMs,
    slowdown: unchunkedMs === null ? null : one.medianMs / unchunkedMs - 1,
    loops: one.plan.loops.map(({ id, path, over, extent, chunkSize, depth }) => ({
      id,
      path,
      over,
      extent,
      chunkSize,
      depth,
    })),
    kept: one === fastest,
  })),
});

/** One line a plan for the terminal; the one that is kept is marked. */
export function describeMeasured({ unchunkedMs, plans, fastest }: Measured): string {
  const rows = plans.map((one) => [
    one === fastest ? '*' : '',
    formatBytes(one.plan.planned.peakBytes),
    formatSlowdown(one.plan.predictedSlowdown),
    formatMs(one.medianMs),
    unchunkedMs === null ? '—' : formatSlowdown(one.medianMs / unchunkedMs - 1),
    loopsText(one.plan.loops),
  ]);
  const table = formatTable(
    [['', 'peak', 'predicted', 'measured', 'slowdown', 'loops'], ...rows],
    [1, 2, 3, 4],
  );
  const whole = unchunkedMs === null ? '' : `, unchunked: ${formatMs(unchunkedMs)}`;
  return [`measured on random data${whole}; * is kept`, ...table.map((line) => `  ${line}`), '', ''].join(
    '\n',
  );
}

const LISTED = 4;

function loopsText(loops: readonly LoopReport[]): string {
  const texts = loops.map(({ over, extent, chunkSize }) => `${over} ${extent}/${chunkSize}`);
  const more = texts.length - LISTED;
  return `${texts.slice(0, LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}` || 'none';
}
