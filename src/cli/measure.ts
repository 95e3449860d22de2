import { generate, unchunkedPlan } from '../compile.ts';
import { invariant } from '../errors.ts';
import type { Plan } from '../ir/plan.ts';
import type { Measured, MeasuredPlan } from '../report/measured.ts';
import { inspectBackend } from '../runtime/index.ts';
import { randomData } from '../testing/random.ts';
import { median } from './outputs.ts';
import { Session } from './session.ts';
import { signatureOf } from './signature.ts';

export type { Measured } from '../report/measured.ts';

/** The most plans that `--measure` runs: each holds its own device and parameters. */
export const MOST_MEASURED = 16;
/** Timed runs of every plan, after one in which kernels are compiled. */
const ROUNDS = 5;

/**
 * Runs plans of one model on random data, side by side with the model without loops where the device can hold it, in
 * alternating order.
 *
 * @throws UserError where the backend is not there, or the device has not enough memory
 */
export async function measurePlans(
  plans: readonly Plan[],
  onProgress: (text: string) => void,
): Promise<Measured> {
  const [first] = plans;
  invariant(first, 'no plan to measure');
  const { maxStorageBytes } = await inspectBackend(first.backend);
  const whole = unchunkedPlan(first);
  const holds = whole.planned.largestStorageBytes <= maxStorageBytes;
  const signature = signatureOf(whole.graph);
  const data = randomData(signature, 1);
  const entries: { readonly plan: Plan; readonly session: Session; readonly ms: number[] }[] = [];
  try {
    for (const plan of holds ? [whole, ...plans] : plans) {
      const session = await Session.open({ backend: plan.backend }, await generate(plan), signature, data);
      entries.push({ plan, session, ms: [] });
    }
    for (let round = 0; round <= ROUNDS; round++) {
      onProgress(
        `measuring ${plans.length} plans: ${round === 0 ? 'warming up' : `round ${round} of ${ROUNDS}`}`,
      );
      for (const { session, ms } of round % 2 === 0 ? entries : [...entries].reverse()) {
        const run = await session.run();
        if (round > 0) ms.push(run.ms);
      }
    }
  } finally {
    for (const { session } of entries) await session.close();
  }
  const results = entries.map(({ plan, ms }): MeasuredPlan => ({ plan, medianMs: median(ms) }));
  const measured = holds ? results.slice(1) : results;
  return {
    unchunkedMs: holds ? (results[0] as MeasuredPlan).medianMs : null,
    plans: measured,
    fastest: measured.reduce((a, b) => (b.medianMs < a.medianMs ? b : a)),
  };
}
