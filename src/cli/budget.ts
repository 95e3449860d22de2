import { BudgetError, parseBudget } from '../compiler/budget.ts';
import { formatBytes } from '../ir/bytes.ts';
import type { Budget } from '../ir/plan.ts';

import { type Io, progress } from './io.ts';

/** What `--budget` means when it is not given. */
export const DEFAULT_BUDGET = '50%';
export const DEFAULT_BUDGET_HELP = `${DEFAULT_BUDGET}, or three quarters of what can be saved`;

/**
 * Compiles for the budget of `--budget`. Nobody who gave none should fail for it: where half of the memory is out of
 * reach, three quarters of what can be saved is saved (`min` would pay for the last bytes with a great many iterations).
 */
export async function withBudget<T>(
  text: string | undefined,
  io: Io,
  compile: (budget: Budget) => T | Promise<T>,
): Promise<T> {
  if (text !== undefined) return compile(parseBudget(text));
  try {
    return await compile({ kind: 'share', share: 0.5 });
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error;
    const { smallestPeakBytes, budgetBytes } = error;
    const bytes = smallestPeakBytes + Math.floor((2 * budgetBytes - smallestPeakBytes) / 4);
    progress(
      io,
      `no --budget: ${DEFAULT_BUDGET} is out of reach (the smallest peak is ${formatBytes(smallestPeakBytes)}), taking ${formatBytes(bytes)}`,
    );
    return compile({ kind: 'bytes', bytes });
  }
}
