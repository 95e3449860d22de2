import type { FitError } from '../cost-model.ts';

/** How well predictions meet measurements; `distances` are the errors whose median is reported. */
export function errorOf(
  pairs: readonly { readonly predicted: number; readonly measured: number }[],
  distances: readonly number[],
): FitError {
  const mean = pairs.reduce((sum, { measured }) => sum + measured, 0) / pairs.length;
  const total = pairs.reduce((sum, { measured }) => sum + (measured - mean) ** 2, 0);
  const left = pairs.reduce((sum, { predicted, measured }) => sum + (measured - predicted) ** 2, 0);
  return {
    samples: pairs.length,
    medianError: rounded(medianOf(distances)),
    rSquared: rounded(total === 0 ? 1 : 1 - left / total),
  };
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
}

const rounded = (value: number): number => Number(value.toPrecision(3));
