import type { Graph } from '../ir/node.ts';
import type { Plan } from '../ir/plan.ts';
import { type PlanOptions, plan } from './pipeline.ts';

/** Budgets that are tried unless asked otherwise. */
const POINTS = 12;

/**
 * The plans of a model that no other beats in both memory and predicted time, from the most memory to the least: what
 * each further byte saved costs.
 *
 * @param points how many budgets are tried, evenly in ratio from the peak without loops to the smallest reachable one (≥ 2)
 * @throws what {@link plan} throws for dimensions and caps
 */
export function paretoPlans(
  graph: Graph,
  options: Omit<PlanOptions, 'budget'>,
  points = POINTS,
): readonly Plan[] {
  const least = plan(graph, { ...options, budget: { kind: 'min' } });
  const whole = plan(graph, { ...options, budget: { kind: 'share', share: 1 } });
  const smallest = least.planned.peakBytes;
  const ratio = whole.planned.peakBytes / smallest;
  const plans = [least, whole];
  for (let i = 1; i < points - 1; i++) {
    const bytes = Math.floor(smallest * ratio ** (i / (points - 1)));
    plans.push(plan(graph, { ...options, budget: { kind: 'bytes', bytes } }));
  }
  const front: Plan[] = [];
  for (const candidate of plans.sort(byPeak)) {
    const best = front.at(-1);
    if (!best || candidate.predictedSlowdown < best.predictedSlowdown) front.push(candidate);
  }
  return front.reverse();
}

const byPeak = (a: Plan, b: Plan): number =>
  a.planned.peakBytes - b.planned.peakBytes || a.predictedSlowdown - b.predictedSlowdown;
