import { formatBytes } from '../ir/bytes.ts';
import type { Plan } from '../ir/plan.ts';
import { formatDims, formatPercent, formatSlowdown, formatTable, plural } from './format.ts';
import { type PlanSummary, summarisePlan } from './summary.ts';

/** What `compile --pareto --json` says. */
export const paretoJson = (plans: readonly Plan[]): { readonly plans: readonly PlanSummary[] } => ({
  plans: plans.map(summarisePlan),
});

/** One line a plan for the terminal, from the most memory to the least. */
export function describePareto(plans: readonly Plan[]): string {
  const [first] = plans;
  if (!first) return '';
  const title = [first.model, formatDims(first.dims), first.backend]
    .filter((text) => text !== '')
    .join(' · ');
  const rows = plans.map(({ unchunked, planned, predictedSlowdown, loops }) => [
    formatBytes(planned.peakBytes),
    formatPercent(unchunked.peakBytes === 0 ? 1 : planned.peakBytes / unchunked.peakBytes),
    formatSlowdown(predictedSlowdown),
    loops.length === 0 ? 'no loop' : plural(loops.length, 'loop'),
  ]);
  const table = formatTable([['peak', 'of unchunked', 'predicted time', 'plan'], ...rows], [0, 1, 2]);
  return `${[title, ...table.map((line) => `  ${line}`)].join('\n')}\n`;
}
