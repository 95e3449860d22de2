import type { Graph } from '../ir/node.ts';
import type { Plan } from '../ir/plan.ts';
import { printProgram } from '../ir/print.ts';
import { BudgetError, budgetBytes } from './budget.ts';
import type { Weights } from './cost/cost-model.ts';
import { COST_MODELS } from './cost/cost-models/index.ts';
import { type PlanOptions, plan } from './pipeline.ts';

/** Shares of the budget that are tried: less memory may be faster where it keeps data in caches. */
const SHARES = [0.8, 0.6, 0.45, 0.3];
/** How much each weight is raised and lowered in turn. */
const FACTORS = [10, 0.1];
const TERMS = ['nodes', 'density', 'stride'] as const satisfies readonly (keyof Weights)[];

/**
 * Different plans within one budget, the fastest by predicted time first. The search is run anew with each weight of L
 * raised and lowered, and for less memory; programs that are the same count once.
 *
 * @param count the most plans wanted (≥ 1); there may be fewer
 * @throws what {@link plan} throws for the budget itself
 */
export function alternativePlans(graph: Graph, options: PlanOptions, count: number): readonly Plan[] {
  const { weights } = options.costModel ?? COST_MODELS[options.backend];
  const first = plan(graph, options);
  const { budget, budgetBytes: most } = first;
  const found = new Map([[printProgram(first.program), first]]);
  const attempt = (searchWeights: Weights, bytes: number | undefined): void => {
    options.signal?.throwIfAborted();
    const tried = bytes === undefined ? budget : ({ kind: 'bytes', bytes } as const);
    try {
      const other = plan(graph, { ...options, budget: tried, searchWeights });
      const key = printProgram(other.program);
      if (!found.has(key) && other.planned.peakBytes <= most)
        found.set(key, {
          ...other,
          budget,
          budgetBytes: budgetBytes(budget, other.unchunked.peakBytes) ?? most,
        });
    } catch (error) {
      if (!(error instanceof BudgetError)) throw error;
    }
  };
  const variants = TERMS.flatMap((term) => FACTORS.map((by) => ({ ...weights, [term]: by * weights[term] })));
  for (const searchWeights of variants) attempt(searchWeights, undefined);
  if (budget.kind !== 'min') {
    for (const share of SHARES) attempt(weights, Math.max(1, Math.floor(share * most)));
  }
  return [...found.values()].sort((a, b) => a.predictedSeconds - b.predictedSeconds).slice(0, count);
}
