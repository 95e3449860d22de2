import type { BoundView } from './bound-view.ts';
import type { StorageView } from './device.ts';
import { isSameView, noOverwriting } from './overwriting.ts';
import type {
  Convolution,
  LanewiseProduct,
  NormalisedRows,
  Product,
  SoftmaxRows,
  TunedKernels,
} from './tuned.ts';

/** What a device does for its own kernels. */
export interface KernelHost<Handle> {
  /** The view with the handle of its storage, checked. */
  bound(kernel: string, view: StorageView): BoundView<Handle>;
  /** Runs a kernel, counted and timed; not where its result has no elements. */
  run(kernel: string, out: BoundView<Handle>, run: () => void): void;
}

/** A device's own kernels over tensors: views are checked and bound before a kernel sees them. */
export function boundKernels<Handle>(
  own: TunedKernels<BoundView<Handle>>,
  host: KernelHost<Handle>,
): TunedKernels<StorageView> {
  const kernels = new BoundKernels(own, host);
  return {
    description: own.description,
    multiply: (product) => kernels.multiply(product),
    multiplyLanes: (product) => kernels.multiplyLanes(product),
    convolve: (convolution) => kernels.convolve(convolution),
    ...(own.softmax ? { softmax: (rows) => kernels.softmax(rows) } : {}),
    ...(own.normalise ? { normalise: (rows) => kernels.normalise(rows) } : {}),
  };
}

class BoundKernels<Handle> {
  readonly #own: TunedKernels<BoundView<Handle>>;
  readonly #host: KernelHost<Handle>;

  constructor(own: TunedKernels<BoundView<Handle>>, host: KernelHost<Handle>) {
    this.#own = own;
    this.#host = host;
  }

  multiply({ out, a, b, bias, accumulate, seen }: Product<StorageView>): void {
    const name = 'multiply';
    noOverwriting(name, out, bias ? [a, b, bias] : [a, b]);
    const product: Product<BoundView<Handle>> = {
      out: this.#host.bound(name, out),
      a: this.#host.bound(name, a),
      b: this.#host.bound(name, b),
      bias: bias && this.#host.bound(name, bias),
      accumulate: accumulate === true,
      seen,
    };
    this.#host.run(name, product.out, () => this.#own.multiply(product));
  }

  multiplyLanes({ out, a, b }: LanewiseProduct<StorageView>): void {
    const name = 'multiplyLanes';
    noOverwriting(name, out, [a, b]);
    const product = {
      out: this.#host.bound(name, out),
      a: this.#host.bound(name, a),
      b: this.#host.bound(name, b),
    };
    this.#host.run(name, product.out, () => this.#own.multiplyLanes(product));
  }

  convolve(convolution: Convolution<StorageView>): void {
    const { out, image, weight, bias } = convolution;
    const name = 'convolve';
    noOverwriting(name, out, bias ? [image, weight, bias] : [image, weight]);
    const bound: Convolution<BoundView<Handle>> = {
      ...convolution,
      out: this.#host.bound(name, out),
      image: this.#host.bound(name, image),
      weight: this.#host.bound(name, weight),
      bias: bias && this.#host.bound(name, bias),
    };
    this.#host.run(name, bound.out, () => this.#own.convolve(bound));
  }

  softmax({ out, x, seen }: SoftmaxRows<StorageView>): void {
    const name = seen === undefined ? 'softmax' : 'causalSoftmax';
    if (!isSameView(x, out)) noOverwriting(name, out, [x]);
    const rows = { out: this.#host.bound(name, out), x: this.#host.bound(name, x), seen };
    this.#host.run(name, rows.out, () => this.#own.softmax?.(rows));
  }

  normalise(rows: NormalisedRows<StorageView>): void {
    const { out, x, weight, bias, epsilon } = rows;
    const name = bias ? 'layerNorm' : 'rmsNorm';
    if (!isSameView(x, out)) noOverwriting(name, out, [x]);
    noOverwriting(name, out, bias ? [weight, bias] : [weight]);
    const bound = {
      out: this.#host.bound(name, out),
      x: this.#host.bound(name, x),
      weight: this.#host.bound(name, weight),
      bias: bias && this.#host.bound(name, bias),
      epsilon,
    };
    this.#host.run(name, bound.out, () => this.#own.normalise?.(bound));
  }
}
