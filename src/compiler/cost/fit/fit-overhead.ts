import { minimise } from './minimise.ts';

/** A plan that ran beside the model without loops: what its kernels take by themselves, and how much slower it was. */
export interface OverheadSample {
  readonly unchunked: { readonly kernelSeconds: number; readonly calls: number };
  readonly planned: { readonly kernelSeconds: number; readonly calls: number };
  readonly slowdown: number;
}

/** Slowdowns further off than this count by their distance, not by the square of it (Huber, 1964). */
const OUTLIER = 0.1;

/** The slowdown of a plan when every call of a module takes so many seconds beside its kernel. */
export const slowdownWith = (seconds: number, { unchunked, planned }: OverheadSample): number =>
  (planned.kernelSeconds + seconds * planned.calls) / (unchunked.kernelSeconds + seconds * unchunked.calls) -
  1;

/**
 * Seconds that a module spends around a call — allocating, slicing, freeing — with which kernel times explain the
 * slowdowns of measured plans best: least squares, outliers damped.
 *
 * @param typical where to look first
 */
export function fitOverhead(samples: readonly OverheadSample[], typical: number): number {
  const loss = ([x = 0]: readonly number[]): number =>
    samples.reduce((sum, sample) => {
      const distance = Math.abs(slowdownWith(Math.exp(x), sample) - sample.slowdown);
      return sum + (distance < OUTLIER ? distance ** 2 : OUTLIER * (2 * distance - OUTLIER));
    }, 0);
  const [x = 0] = minimise(loss, [Math.log(typical)]);
  return Number(Math.exp(x).toPrecision(3));
}
