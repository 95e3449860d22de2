import { BudgetError, parseBudget } from '../compiler/budget.ts';
import type { Budget } from '../ir/plan.ts';
import { formatBytes } from '../report/format.ts';
import { type Io, progress } from './io.ts';

/** What `--budget` means when it is not given. */
export const DEFAULT_BUDGET = '50%';
export const DEFAULT_BUDGET_HELP = `${DEFAULT_BUDGET}, or min where that is out of reach`;

/**
 * Compiles for the budget of `--budget`. Nobody who gave none should fail for it: where half of the memory is out of
 * reach, the smallest peak is taken, and said.
 */
export async function withBudget<T>(
  text: string | undefined,
  io: Io,
  compile: (budget: Budget) => T | Promise<T>,
): Promise<T> {
  if (text !== undefined) return compile(parseBudget(text));
  try {
    return await compile(parseBudget(DEFAULT_BUDGET));
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error;
    progress(
      io,
      `no --budget: ${DEFAULT_BUDGET} is out of reach, taking the smallest peak, ${formatBytes(error.smallestPeakBytes)}`,
    );
    return compile({ kind: 'min' });
  }
}
