import { invariant } from '../../../errors.ts';
import type { FitError, KernelRates } from '../cost-model.ts';
import { type CallWork, callSeconds } from '../seconds.ts';
import { errorOf } from './error.ts';
import { minimise } from './minimise.ts';

/** A kernel of one class, and the seconds it took. */
export interface RateSample extends Omit<CallWork, 'kind'> {
  readonly seconds: number;
}

/** Beyond this distance in log time a sample counts by its distance, not by the square of it (Huber, 1964). */
const OUTLIER = 0.3;
/** How hard figures that no sample tells anything about are held where they start. */
const PRIOR = 1e-4;

/**
 * The rates with which {@link callSeconds} explains measured times best: least squares of log times, outliers damped.
 * A sample of 1 µs counts as much as one of 1 s.
 *
 * @param samples at least one, seconds > 0; kernels of many sizes, bound by arithmetic and by memory
 */
export function fitRates(samples: readonly RateSample[]): { rates: KernelRates; error: FitError } {
  invariant(samples.length > 0, 'no samples to fit');
  const start = logsOf({
    dispatchSeconds: Math.min(...samples.map(({ seconds }) => seconds)),
    flopsPerSecond: Math.max(1, ...samples.map(({ flops, seconds }) => flops / seconds)),
    bytesPerSecond: Math.max(1, ...samples.map(({ bytes, seconds }) => bytes / seconds)),
    halfElements: 1,
    halfRow: 1,
  });
  const loss = (x: readonly number[]): number => {
    const rates = ratesOf(x);
    let sum = 0;
    for (const sample of samples) {
      const distance = Math.abs(Math.log(callSeconds(sample, rates) / sample.seconds));
      sum += distance < OUTLIER ? distance ** 2 : OUTLIER * (2 * distance - OUTLIER);
    }
    return sum / samples.length + PRIOR * x.reduce((all, v, i) => all + (v - (start[i] as number)) ** 2, 0);
  };
  // A few places to start from: too small a rate and too large a half hide each other.
  const starts = [0, 4, 8].flatMap((half) => [0, 3].map((row) => [...start.slice(0, 3), half, row]));
  const found = starts.map((x) => minimise(loss, x));
  const best = found.reduce((a, b) => (loss(b) < loss(a) ? b : a));
  const rates = rounded(ratesOf(best));
  const logs = samples.map((sample) => ({
    predicted: Math.log(callSeconds(sample, rates)),
    measured: Math.log(sample.seconds),
  }));
  const relative = samples.map((sample) => Math.abs(callSeconds(sample, rates) / sample.seconds - 1));
  return { rates, error: errorOf(logs, relative) };
}

const logsOf = (rates: KernelRates): number[] => [
  Math.log(rates.dispatchSeconds),
  Math.log(rates.flopsPerSecond),
  Math.log(rates.bytesPerSecond),
  Math.log(rates.halfElements),
  Math.log(rates.halfRow),
];

function ratesOf(x: readonly number[]): KernelRates {
  const [dispatchSeconds, flopsPerSecond, bytesPerSecond, halfElements, halfRow] = x.map(Math.exp) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { dispatchSeconds, flopsPerSecond, bytesPerSecond, halfElements, halfRow };
}

const rounded = (rates: KernelRates): KernelRates => ({
  dispatchSeconds: Number(rates.dispatchSeconds.toPrecision(3)),
  flopsPerSecond: Number(rates.flopsPerSecond.toPrecision(3)),
  bytesPerSecond: Number(rates.bytesPerSecond.toPrecision(3)),
  halfElements: Number(rates.halfElements.toPrecision(3)),
  halfRow: Number(rates.halfRow.toPrecision(3)),
});
