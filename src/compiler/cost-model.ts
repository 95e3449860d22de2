import type { Backend } from '../ir/ops/op.ts';
import type { KernelClass } from './kernel-class.ts';

/** What one class of kernels does on one device. */
export interface KernelRates {
  /** Seconds of a call however little it computes. */
  readonly dispatchSeconds: number;
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Elements of a result with which a kernel reaches half of its rates: fewer leave lanes or cores idle. */
  readonly halfElements: number;
}

/** Weights of the paper's cost L. The unit is the cost of one more dispatch. */
export interface Weights {
  /** α: cost of one more kernel dispatch. */
  readonly nodes: number;
  /** β: cost of one floating-point operation that runs inside a loop. */
  readonly flops: number;
  /** γ: cost of one dispatch that is too small to fill the device. */
  readonly density: number;
  /** λ: cost of one contiguous run of elements that a loop reads or writes through a slice. */
  readonly stride: number;
  /** Floating-point operations and elements that keep the device busy for as long as one dispatch takes to issue. */
  readonly saturation: number;
}

/** How well a fit explains the times it was made from. */
export interface FitError {
  readonly samples: number;
  /** Median of |predicted − measured| ÷ measured. */
  readonly medianRelativeError: number;
  /** Share of the variance that the fit explains; of log times for kernels. */
  readonly rSquared: number;
}

/** What the compiler knows of the speed of one device: made by `autochunk tune`, kept as JSON. */
export interface CostModel {
  readonly version: 1;
  readonly backend: Backend;
  /** The device the figures are from, as `device.adapter` names it. */
  readonly adapter: string;
  /** `fitted`: to times measured on the adapter. `assumed`: chosen to stand for devices nobody measured. */
  readonly source: 'fitted' | 'assumed';
  /** Where and how, for people. */
  readonly note: string;
  readonly kernels: Readonly<Record<KernelClass, KernelRates>>;
  readonly weights: Weights;
  readonly fit?: {
    readonly kernels: Readonly<Record<KernelClass, FitError>>;
    /** Seconds that loops add, as L has it. */
    readonly weights: FitError;
    /** Slowdowns of whole plans as the time model predicts them; errors are differences of slowdowns. */
    readonly slowdowns: FitError;
  };
}
