import { UserError } from '../errors.ts';
import { formatBytes } from '../ir/bytes.ts';
import type { Graph } from '../ir/node.ts';
import type { Plan } from '../ir/plan.ts';
import { BudgetError, budgetBytes } from './budget.ts';
import { type PlanOptions, plan } from './pipeline.ts';

/** No plan within the budget is predicted to be fast enough. */
export class SlowdownError extends UserError {
  override readonly name = 'SlowdownError';
  readonly maxSlowdown: number;
  /** The least slowdown that a plan within the budget is predicted to have. */
  readonly leastSlowdown: number;

  constructor(message: string, facts: { maxSlowdown: number; leastSlowdown: number }) {
    super(message);
    this.maxSlowdown = facts.maxSlowdown;
    this.leastSlowdown = facts.leastSlowdown;
  }
}

/** Budgets that are tried between two peaks, evenly in ratio, and how often the gap below the best is halved. */
const POINTS = 6;
const HALVINGS = 5;

/**
 * Compiles like {@link plan}, for two constraints: the budget, and a predicted slowdown of `maxSlowdown` at most.
 *
 * Within a budget the cheapest plan is taken, or the one with the most memory that is fast enough. For `min` it is the
 * plan with the smallest peak that is fast enough: budgets between the unchunked peak and the smallest reachable one are
 * tried, then halved between the smallest that is fast enough and the next one below.
 *
 * @throws UserError for a slowdown that is negative or not finite, SlowdownError where no plan is fast enough, and what
 *   {@link plan} throws.
 */
export function planWithinSlowdown(
  graph: Graph,
  options: PlanOptions & { readonly maxSlowdown: number },
): Plan {
  const { maxSlowdown, budget } = options;
  if (!(maxSlowdown >= 0 && Number.isFinite(maxSlowdown)))
    throw new UserError(`maxSlowdown ${maxSlowdown}: expected a share of the unchunked time such as 0.05`);
  const tried: Plan[] = [];
  const attempt = (bytes: number): Plan | undefined => {
    try {
      const found = plan(graph, { ...options, budget: { kind: 'bytes', bytes } });
      tried.push(found);
      return found.predictedSlowdown <= maxSlowdown ? found : undefined;
    } catch (error) {
      if (error instanceof BudgetError) return undefined;
      throw error;
    }
  };
  const finish = (found: Plan): Plan => ({
    ...found,
    budget,
    budgetBytes: budgetBytes(budget, found.unchunked.peakBytes) ?? found.planned.peakBytes,
    maxSlowdown,
  });

  const first = plan(graph, options);
  if (first.predictedSlowdown <= maxSlowdown) return finish(first);
  tried.push(first);
  const least = budget.kind === 'min' ? first : plan(graph, { ...options, budget: { kind: 'min' } });
  const low = least.planned.peakBytes;
  const most = budget.kind === 'min' ? least.unchunked.peakBytes : first.budgetBytes;
  if (budget.kind !== 'min') {
    if (least.predictedSlowdown <= maxSlowdown) tried.push(least);
    const found = between(low, most)
      .reverse()
      .map(attempt)
      .find((one) => one !== undefined);
    if (found ?? least.predictedSlowdown <= maxSlowdown) return finish(found ?? least);
    throw slowdownError(graph, most, tried, maxSlowdown);
  }
  let below = low;
  let best: Plan | undefined;
  for (const bytes of [...between(low, most), most]) {
    best = attempt(bytes);
    if (best) break;
    below = bytes;
  }
  if (!best) throw slowdownError(graph, most, tried, maxSlowdown);
  for (let step = 0; step < HALVINGS; step++) {
    const bytes = Math.floor(Math.sqrt(below * best.planned.peakBytes));
    if (bytes <= below || bytes >= best.planned.peakBytes) break;
    const found = attempt(bytes);
    if (found) best = found;
    else below = bytes;
  }
  return finish(best);
}

/** Bytes evenly in ratio between two peaks, ends left out, ascending. */
const between = (low: number, high: number): number[] =>
  Array.from({ length: POINTS }, (_, i) => Math.floor(low * (high / low) ** ((i + 1) / (POINTS + 1)))).filter(
    (bytes) => bytes > low && bytes < high,
  );

function slowdownError(
  graph: Graph,
  budget: number,
  tried: readonly Plan[],
  maxSlowdown: number,
): SlowdownError {
  const fastest = tried.reduce((a, b) => (b.predictedSlowdown < a.predictedSlowdown ? b : a));
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  return new SlowdownError(
    `${graph.name}: no plan within ${formatBytes(budget)} is predicted to take at most ${percent(maxSlowdown)} longer: the fastest ` +
      `takes ${percent(fastest.predictedSlowdown)} longer, with a peak of ${formatBytes(fastest.planned.peakBytes)}. ` +
      'Raise the budget or the slowdown.',
    { maxSlowdown, leastSlowdown: fastest.predictedSlowdown },
  );
}
