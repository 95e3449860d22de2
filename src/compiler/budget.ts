import { UserError } from '../errors.ts';
import type { Budget, Estimate } from '../ir/plan.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/**
 * Reads `512MiB`, `1.5GiB`, `300KB`, `123456` (bytes), `20%` (of the unchunked peak) or `min`.
 *
 * @throws UserError (exit code 2) on anything else.
 */
export function parseBudget(text: string): Budget {
  const source = text.trim();
  if (source.toLowerCase() === 'min') return { kind: 'min' };
  const share = /^(\d+(?:\.\d+)?|\.\d+)\s*%$/.exec(source);
  if (share) {
    const percent = Number(share[1]);
    if (percent > 0 && percent <= 100) return { kind: 'share', share: percent / 100 };
    throw badBudget(text, percent > 100 ? 'a share is at most 100%' : 'a share must be greater than 0%');
  }
  const bytes = /^(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)$/i.exec(source);
  const unit = UNITS[bytes?.[2]?.toLowerCase() ?? ''];
  if (!bytes || unit === undefined) throw badBudget(text, 'not a budget');
  const value = Math.floor(Number(bytes[1]) * unit);
  if (!(value > 0 && Number.isSafeInteger(value)))
    throw badBudget(text, 'expected a positive number of bytes');
  return { kind: 'bytes', bytes: value };
}

const badBudget = (text: string, problem: string): UserError =>
  new UserError(
    `budget "${text}": ${problem}; write bytes (512MiB, 1.5GiB, 300KB, 123456), a share of the unchunked peak (20%) or min`,
    { exitCode: 2 },
  );

/** The bytes a budget stands for; undefined for `min`. */
export const budgetBytes = (budget: Budget, unchunkedPeak: number): number | undefined =>
  budget.kind === 'bytes'
    ? budget.bytes
    : budget.kind === 'share'
      ? Math.floor(budget.share * unchunkedPeak)
      : undefined;

/** No plan that the search can find meets the budget (or the cap on single storages). */
export class BudgetError extends UserError {
  override readonly name = 'BudgetError';
  readonly budgetBytes: number;
  /** The smallest peak the search reached. */
  readonly smallestPeakBytes: number;
  /** The storages alive at that peak, largest first. */
  readonly alive: Estimate['liveAtPeak'];

  constructor(
    message: string,
    facts: { budgetBytes: number; smallestPeakBytes: number; alive: Estimate['liveAtPeak'] },
  ) {
    super(message);
    this.budgetBytes = facts.budgetBytes;
    this.smallestPeakBytes = facts.smallestPeakBytes;
    this.alive = facts.alive;
  }
}
