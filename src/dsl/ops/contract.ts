import { recorder } from '../../trace/recorder.ts';
import type { Axis } from '../axes.ts';
import type {
  Dim,
  FitsLast,
  IsOpen,
  Known,
  LastOf,
  MatMul,
  Multipliable,
  ReplaceLast,
  Same,
  Shape,
  Show,
  ShowDim,
} from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { emit, normalAxis } from './emit.ts';

/** Matrix product over the last two axes: [..., m, k] · [..., k, n] → [..., m, n]; leading axes broadcast. */
export function matmul<A extends Shape, B extends Shape>(
  a: Tensor<A>,
  b: Tensor<B> & Multipliable<A, B>,
): Tensor<Known<MatMul<A, B>>> {
  return emit('matmul', [a, b]);
}

type FitsLinear<X extends Shape, O extends Dim, I extends Dim, Transposed extends boolean> =
  IsOpen<X> extends true
    ? unknown
    : Same<LastOf<X>, Transposed extends true ? O : I> extends true
      ? unknown
      : `linear: expected last axis ${ShowDim<Transposed extends true ? O : I>} for weight ${Show<[O, I]>}${Transposed extends true ? ' (transposed)' : ''}, got ${Show<X>}`;

type FitsBias<O extends Dim, B extends Shape> =
  IsOpen<B> extends true
    ? unknown
    : B extends readonly [infer D]
      ? Same<O, D & Dim> extends true
        ? unknown
        : `linear: expected bias [${ShowDim<O>}], got ${Show<B>}`
      : `linear: expected bias [${ShowDim<O>}], got ${Show<B>}`;

/**
 * x · wᵀ + bias over the last axis. The weight is [out, in] as in PyTorch's Linear, or [in, out] (GPT-2's Conv1D) with
 * `transposed: true`.
 */
export function linear<
  X extends Shape,
  O extends Dim,
  I extends Dim,
  B extends Shape,
  const T extends boolean = false,
>(
  x: Tensor<X>,
  weight: Tensor<readonly [O, I]> & FitsLinear<X, O, I, T>,
  bias?: (Tensor<B> & FitsBias<T extends true ? I : O, B>) | undefined,
  options: { readonly transposed?: T } = {},
): Tensor<ReplaceLast<X, T extends true ? I : O>> {
  return emit('linear', bias ? [x, weight, bias] : [x, weight], { transposed: options.transposed ?? false });
}

/** Exponentials along an axis (the last by default), scaled to sum 1. */
export function softmax<S extends Shape>(x: Tensor<S>, axis?: Axis<S>): Tensor<S> {
  return emit('softmax', [x], { axis: normalAxis('softmax', axis ?? -1, x.shape.length, x.shape) });
}

/** Logarithms of softmax along an axis (the last by default), exact where softmax itself would round to 0. */
export function logSoftmax<S extends Shape>(x: Tensor<S>, axis?: Axis<S>): Tensor<S> {
  return emit('logSoftmax', [x], { axis: normalAxis('logSoftmax', axis ?? -1, x.shape.length, x.shape) });
}

/** (x - mean) / √(variance + epsilon) · weight + bias over the last axis; the bias defaults to 0, epsilon to 1e-5. */
export function layerNorm<X extends Shape, W extends Shape, B extends Shape = W>(
  x: Tensor<X>,
  weight: Tensor<W> & FitsLast<'layerNorm', X, W>,
  bias?: (Tensor<B> & FitsLast<'layerNorm', X, B>) | undefined,
  options: { readonly epsilon?: number } = {},
): Tensor<X> {
  const shift = bias ?? emit('full', [], { shape: weight.shape, value: 0 }, { name: 'zeros' });
  return emit('layerNorm', [x, weight, shift], { epsilon: options.epsilon ?? 1e-5 });
}

/** x / √(mean(x²) + epsilon) · weight over the last axis; epsilon defaults to 1e-6. */
export function rmsNorm<X extends Shape, W extends Shape>(
  x: Tensor<X>,
  weight: Tensor<W> & FitsLast<'rmsNorm', X, W>,
  options: { readonly epsilon?: number } = {},
): Tensor<X> {
  return emit('rmsNorm', [x, weight], { epsilon: options.epsilon ?? 1e-6 });
}

/** Rows of a table [v, d] for i32 ids [...] → [..., d]. Ids that are a model input are checked against v when it runs. */
export function embedding<V extends Dim, D extends Dim, I extends Shape>(
  table: Tensor<readonly [V, D]>,
  ids: Tensor<I>,
): Tensor<[...I, D]> {
  recorder('embedding').bound('embedding', ids, table.shape[0]);
  return emit('embedding', [table, ids]);
}

/** numpy's `take` along the first axis: the rows of `table` at `indices`. Another name of {@link embedding}. */
export const gather = embedding;
