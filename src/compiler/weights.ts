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
 * Three figures a backend; the weights follow from them: every term counts in dispatches, and `saturation` is the work a
 * device does in the time of one. webasm and cpu: best of five on one core of a two-core server, with our kernels
 * (`neg` of one element, `matmul` of 256³, `add` of a million elements). webgpu: the dispatch is measured (many to a
 * submit, bind groups cached), the two rates are those of a small integrated GPU and stand for any. They rank plans
 * and predict slowdowns roughly; a fit on the device itself would replace a row of this table.
 */
export const WEIGHTS: Readonly<Record<Backend, Weights>> = {
  webgpu: derive({ dispatchSeconds: 5e-6, flopsPerSecond: 5e10, bytesPerSecond: 2e10 }),
  webasm: derive({ dispatchSeconds: 1.3e-5, flopsPerSecond: 2.6e9, bytesPerSecond: 1.4e10 }),
  cpu: derive({ dispatchSeconds: 9e-6, flopsPerSecond: 7e8, bytesPerSecond: 2.7e9 }),
};

/** A floating-point operation weighs just enough to break ties: chunking repeats none. */
function derive(measured: Pick<Weights, 'dispatchSeconds' | 'flopsPerSecond' | 'bytesPerSecond'>): Weights {
  const saturation = measured.dispatchSeconds * measured.flopsPerSecond;
  return { ...measured, saturation, nodes: 1, flops: 1e-4 / saturation, density: 1, stride: 0.01 };
}
