import type { Bindings } from '../ir/dims.ts';

/** One random case of `verify`. */
export interface Case {
  readonly seed: number;
  readonly dims: Bindings;
  readonly budgetBytes: number;
  readonly unchunkedPeakBytes: number;
  readonly plannedPeakBytes: number;
  readonly loops: number;
}

/** Runs cases. Everything about a case follows from its seed. */
export interface Checker {
  check(seed: number): Promise<{ result: Case; failures: readonly string[] }>;
}
