import type { Axis, Reduce } from '../axes.ts';
import type { Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { emit, expectThat, normalAxis } from './emit.ts';

/** One axis, several, or (undefined) all. */
type Axes<S extends Shape> = Axis<S> | readonly Axis<S>[] | undefined;
interface ReduceOptions<K extends boolean> {
  /** Keep reduced axes with extent 1. Default: false. */
  readonly keepdims?: K;
}

/** Several axes are reduced one after another, the last one first. */
function reduce<S extends Shape, A, K extends boolean>(
  op: string,
  x: Tensor,
  axis: number | readonly number[] | undefined,
  keepdims: boolean,
): Tensor<Reduce<S, A, K>> {
  const rank = x.shape.length;
  const asked = axis === undefined ? x.shape.map((_, i) => i) : typeof axis === 'number' ? [axis] : axis;
  const axes = asked.map((a) => normalAxis(op, a, rank, x.shape)).sort((a, b) => b - a);
  expectThat(new Set(axes).size === axes.length, op, () => `axes [${asked.join(', ')}] repeat`);
  expectThat(axes.length > 0, op, () => 'expected at least one axis, got none');
  const last = axes.length - 1;
  return axes.reduce<Tensor>(
    (value, a, i) => emit(op, [value], { axis: a, keepdims }, i === last ? {} : { name: op }),
    x,
  ) as Tensor<Reduce<S, A, K>>;
}

/** Sum along an axis, several axes, or (default) all of them. */
export function sum<S extends Shape, const A extends Axes<S> = undefined, K extends boolean = false>(
  x: Tensor<S>,
  axis?: A,
  options: ReduceOptions<K> = {},
): Tensor<Reduce<S, A, K>> {
  return reduce('sum', x, axis, options.keepdims ?? false);
}

/** Arithmetic mean along an axis, several axes, or (default) all of them. */
export function mean<S extends Shape, const A extends Axes<S> = undefined, K extends boolean = false>(
  x: Tensor<S>,
  axis?: A,
  options: ReduceOptions<K> = {},
): Tensor<Reduce<S, A, K>> {
  return reduce('mean', x, axis, options.keepdims ?? false);
}

/** Largest element along an axis, several axes, or (default) all of them. */
export function amax<S extends Shape, const A extends Axes<S> = undefined, K extends boolean = false>(
  x: Tensor<S>,
  axis?: A,
  options: ReduceOptions<K> = {},
): Tensor<Reduce<S, A, K>> {
  return reduce('amax', x, axis, options.keepdims ?? false);
}

/** Smallest element along an axis, several axes, or (default) all of them. */
export function amin<S extends Shape, const A extends Axes<S> = undefined, K extends boolean = false>(
  x: Tensor<S>,
  axis?: A,
  options: ReduceOptions<K> = {},
): Tensor<Reduce<S, A, K>> {
  return reduce('amin', x, axis, options.keepdims ?? false);
}
