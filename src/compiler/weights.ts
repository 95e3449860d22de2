import type { Backend } from '../ir/ops/op.ts';

/** Weights of the cost model on one backend. */
export interface Weights {
  /** α: cost of one more kernel dispatch. The unit of the cost model. */
  readonly nodes: number;
  /** β: cost of one floating-point operation that runs inside a loop. */
  readonly flops: number;
  /** γ: cost of one dispatch that is too small to fill the device. */
  readonly density: number;
  /** λ: cost of one contiguous run of elements that a loop reads or writes through a slice. */
  readonly stride: number;
  /** Floating-point operations and elements that keep the device busy for as long as one dispatch takes to issue. */
  readonly saturation: number;
  /** Seconds to issue one kernel. */
  readonly dispatchSeconds: number;
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
}

/**
 * Three figures a backend, from which the weights follow: every term counts in dispatches, and `saturation` is the work
 * a device does in the time of one. webasm and cpu: `npm run bench:rates` (best of twenty) on one core of a two-core
 * server. webgpu: the dispatch is measured (many to a submit, bind groups cached), the two rates are those of a small
 * integrated GPU and stand for any. They rank plans and predict slowdowns roughly; a fit on the device itself would
 * replace a row of this table.
 */
export const WEIGHTS: Readonly<Record<Backend, Weights>> = {
  webgpu: derive({ dispatchSeconds: 5e-6, flopsPerSecond: 5e10, bytesPerSecond: 2e10 }),
  webasm: derive({ dispatchSeconds: 6e-6, flopsPerSecond: 1.6e10, bytesPerSecond: 3.2e10 }),
  cpu: derive({ dispatchSeconds: 9e-6, flopsPerSecond: 7e8, bytesPerSecond: 2.7e9 }),
};

/** A floating-point operation weighs just enough to break ties: chunking repeats none. */
function derive(measured: Pick<Weights, 'dispatchSeconds' | 'flopsPerSecond' | 'bytesPerSecond'>): Weights {
  const saturation = measured.dispatchSeconds * measured.flopsPerSecond;
  return { ...measured, saturation, nodes: 1, flops: 1e-4 / saturation, density: 1, stride: 0.01 };
}
