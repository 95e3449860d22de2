/** Which implementations a device prefers: its own where it has one, or gpu.js kernels throughout. */
export type KernelChoice = 'tuned' | 'gpujs';

/**
 * A batch of matrix products: `out[z][y][x] = Σₖ a[z][y][k] · b[z][k][x] + bias[z][y][x]`. Views have rank ≤ 3, missing
 * axes are added in front, and z of `a` and `b` may be 1. Products are added in order of k, in float32.
 */
export interface Product<View> {
  readonly out: View;
  readonly a: View;
  readonly b: View;
  /** Added last; does not change along the rows of a matrix, or not along its columns (stride 0). */
  readonly bias?: View | undefined;
  /** Adds to what is in `out`: sums go on where they left off. */
  readonly accumulate?: boolean;
  /** What need not be computed; a device may compute it. */
  readonly seen?: Seen | undefined;
}

/**
 * What rows of a causal product see: row y the first `first + y` columns of the result, the others being left as they are, or the
 * first `first + y` terms of its sums, the others being zeros of `a`.
 */
export interface Seen {
  readonly of: 'columns' | 'terms';
  /** At least 1. */
  readonly first: number;
}

/**
 * `out[z][y][x] = Σₖ a[z][k][x] · b[y][k][x]`: a matrix product in every lane x, which lie next to each other in all
 * three. Products are added in order of k, in float32.
 */
export interface LanewiseProduct<View> {
  readonly out: View;
  readonly a: View;
  readonly b: View;
}

/** The convolution of one image. */
export interface Convolution<View> {
  /** [output channels, rows, columns]. */
  readonly out: View;
  /** [channels, rows, columns]. */
  readonly image: View;
  /** [output channels, channels of a group, kernel rows × kernel columns]. */
  readonly weight: View;
  /** One an output channel. */
  readonly bias?: View | undefined;
  readonly groups: number;
  readonly kernelColumns: number;
  /** Each of rows and columns. */
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Above and to the left; what is below and to the right follows from the result. */
  readonly padding: readonly [number, number];
  /** Adds to what is in `out`, as products do. */
  readonly accumulate?: boolean;
}

/** Softmax over the last of three axes; `out` may be the view `x`. */
export interface SoftmaxRows<View> {
  readonly out: View;
  readonly x: View;
  /**
   * Of causal masks: how many elements row 0 of a plane sees, each row one more than the row before, none less than 0. All
   * others count as the lowest finite number, whatever they are. Absent: rows see all of their elements.
   */
  readonly seen?: number | undefined;
}

/** Layer normalisation over the last of three axes, or with no bias RMS normalisation; `out` may be the view `x`. */
export interface NormalisedRows<View> {
  readonly out: View;
  readonly x: View;
  /** One element for each of a row. */
  readonly weight: View;
  readonly bias: View | undefined;
  readonly epsilon: number;
}

/** What a device computes by itself, each operation being what several ops come down to. */
export interface TunedKernels<View> {
  /** For reports, such as `GEMM`. */
  readonly description: string;
  multiply(product: Product<View>): void;
  multiplyLanes(product: LanewiseProduct<View>): void;
  /** Products are added over kernel rows, kernel columns and channels, in this order; taps outside the image count as 0. */
  convolve(convolution: Convolution<View>): void;
  /** A row has the same bits however it is laid out, whatever rows are computed with it, and with zeros for weights at its end or without them. */
  softmax?(rows: SoftmaxRows<View>): void;
  /** A row has the same bits however it is laid out and whatever rows are computed with it. */
  normalise?(rows: NormalisedRows<View>): void;
}
