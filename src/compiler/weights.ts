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
 * The last three figures are measured: `dispatchSeconds` with our executor (webgpu: many dispatches per submit, bind
 * groups cached), `flopsPerSecond` on the stock matmul kernels of one core, `bytesPerSecond` on element kernels. The
 * others follow from them: `saturation` is the work a device does in one dispatch time, and the weights express every
 * term in dispatches. A fit on the device itself (`autochunk tune`) would replace a row of this table.
 */
export const WEIGHTS: Readonly<Record<Backend, Weights>> = {
  webgpu: derive({ dispatchSeconds: 5e-6, flopsPerSecond: 5e10, bytesPerSecond: 2e10 }),
  webasm: derive({ dispatchSeconds: 3e-6, flopsPerSecond: 3e9, bytesPerSecond: 4e9 }),
  cpu: derive({ dispatchSeconds: 3e-6, flopsPerSecond: 8e8, bytesPerSecond: 2e9 }),
};

function derive(measured: Pick<Weights, 'dispatchSeconds' | 'flopsPerSecond' | 'bytesPerSecond'>): Weights {
  const saturation = measured.dispatchSeconds * measured.flopsPerSecond;
  return { ...measured, saturation, nodes: 1, flops: 1e-4 / saturation, density: 1, stride: 0.01 };
}
