import { invariant } from '../../../errors.ts';
import type { FitError, Weights } from '../cost-model.ts';
import { errorOf } from './error.ts';
import { minimise } from './minimise.ts';

/** The loops of one plan, and the seconds they took. */
export interface WeightSample {
  /** The terms of L before their weights: dispatches, floating-point operations, starved dispatches, runs. */
  readonly terms: Readonly<Record<Term, number>>;
  readonly unchunkedSeconds: number;
  readonly seconds: number;
}

type Term = 'nodes' | 'flops' | 'density' | 'stride';
const TERMS = ['nodes', 'flops', 'density', 'stride'] as const satisfies readonly Term[];

/** Slowdowns further off than this count by their distance, not by the square of it (Huber, 1964). */
const OUTLIER = 0.1;
/**
 * How hard a weight is held near the one that follows from the rates of kernels: a few plans on a busy machine must not
 * make it ten times another.
 */
const PRIOR = 3e-4;

/**
 * The weights with which L explains the slowdowns of measured plans best, in seconds and then in dispatches: least squares
 * with outliers damped, every weight positive. A weight that the plans say nothing about stays as it was.
 *
 * @param samples at least one
 * @param prior weights to start from; its `saturation` stays
 * @param dispatchSeconds what the unit of `prior` takes
 */
export function fitWeights(
  samples: readonly WeightSample[],
  prior: Weights,
  dispatchSeconds: number,
): { weights: Weights; error: FitError } {
  invariant(samples.length > 0, 'no plans to fit');
  const start = TERMS.map((term) => Math.log(prior[term] * dispatchSeconds));
  const slowdown = ({ terms, unchunkedSeconds }: WeightSample, x: readonly number[]): number =>
    TERMS.reduce((sum, term, i) => sum + terms[term] * Math.exp(x[i] as number), 0) / unchunkedSeconds;
  const measured = ({ seconds, unchunkedSeconds }: WeightSample): number => seconds / unchunkedSeconds - 1;
  const loss = (x: readonly number[]): number => {
    let sum = 0;
    for (const sample of samples) {
      const distance = Math.abs(slowdown(sample, x) - measured(sample));
      sum += distance < OUTLIER ? distance ** 2 : OUTLIER * (2 * distance - OUTLIER);
    }
    return sum / samples.length + PRIOR * x.reduce((all, v, i) => all + (v - (start[i] as number)) ** 2, 0);
  };
  const x = minimise(loss, start);
  const inDispatches = (term: Term): number =>
    Number(Math.exp((x[TERMS.indexOf(term)] as number) - (x[0] as number)).toPrecision(3));
  const weights: Weights = {
    nodes: 1,
    flops: inDispatches('flops'),
    density: inDispatches('density'),
    stride: inDispatches('stride'),
    saturation: prior.saturation,
  };
  const pairs = samples.map((sample) => ({ predicted: slowdown(sample, x), measured: measured(sample) }));
  const distances = pairs.map(({ predicted, measured }) => Math.abs(predicted - measured));
  return { weights, error: errorOf(pairs, distances) };
}
