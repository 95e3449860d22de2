import type { Broadcast, Broadcastable, Dim, IsOpen, LastOf, ReplaceLast, Shape } from '../shape.ts';
import type { Operand, ShapeOf, Tensor } from '../tensor.ts';
import { maximum, minimum, where } from './elementwise.ts';
import { emit, expectThat, finite } from './emit.ts';

/** x between two bounds; leave one out for none on that side. */
export function clamp<S extends Shape>(
  x: Tensor<S>,
  { min, max }: { readonly min?: number; readonly max?: number },
): Tensor<S> {
  expectThat(min !== undefined || max !== undefined, 'clamp', () => 'expected min, max or both');
  if (min === undefined) return minimum(x as Tensor, max as number) as Tensor as Tensor<S>;
  if (max === undefined) return maximum(x as Tensor, min) as Tensor as Tensor<S>;
  return emit('clamp', [x], { min: finite('clamp', min), max: finite('clamp', max) });
}

/** x where it is positive, else x · slope (0.01 by default). */
export function leakyRelu<S extends Shape>(x: Tensor<S>, slope = 0.01): Tensor<S> {
  return emit('leakyRelu', [x], { slope: finite('leakyRelu', slope) });
}

type Half<D extends Dim> = D extends number ? number : Dim;

/** The last axis in two halves a and b: a · gelu(b), with the exact gelu. */
export function geglu<S extends Shape>(x: Tensor<S>): Tensor<ReplaceLast<S, Half<LastOf<S>>>> {
  return emit('geglu', [x]);
}

/** `value` where the mask is not 0, else x; mask and x broadcast. */
export function maskedFill<S extends Shape, M extends Tensor>(
  x: Tensor<S>,
  mask: M & Broadcastable<'maskedFill', S, ShapeOf<M>>,
  value: number,
): Tensor<IsOpen<S> extends true ? Dim[] : Broadcast<S, ShapeOf<M>>> {
  const lowest = Math.max(-LARGEST, Math.min(LARGEST, value));
  return where(mask as Tensor, lowest, x as Operand) as Tensor as Tensor<never>;
}

/** Infinities become the largest finite float32 numbers, which devices without infinity can hold. */
const LARGEST = 3.4028234663852886e38;
