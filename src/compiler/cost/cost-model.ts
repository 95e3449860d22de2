import type { Backend } from '../../ir/ops/op.ts';
import type { KernelClass } from './kernel-class.ts';

/** What one class of kernels does on one device. */
export interface KernelRates {
  /** Seconds of a call however little it computes. */
  readonly dispatchSeconds: number;
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Elements of a result with which a kernel reaches half of its rates: fewer leave lanes or cores idle. */
  readonly halfElements: number;
  /** Elements of a row with which a kernel reaches half of its rates: shorter ones leave lanes idle. */
  readonly halfRow: number;
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

/** How well a fit explains what it was made from. */
export interface FitError {
  readonly samples: number;
  /** Of kernels: median of |predicted − measured| ÷ measured. Of plans: median difference of slowdowns. */
  readonly medianError: number;
  /** Share of the variance that the fit explains: of log times for kernels, of slowdowns for plans. */
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
  /** Seconds that a module spends around every call: allocating, slicing, freeing. */
  readonly moduleSeconds: number;
  readonly weights: Weights;
  readonly fit?: {
    readonly kernels: Readonly<Record<KernelClass, FitError>>;
    /** Slowdowns of plans as L has them. */
    readonly weights: FitError;
    /** The same slowdowns as the time model predicts them; `moduleSeconds` is fitted to them. */
    readonly slowdowns: FitError;
  };
}
