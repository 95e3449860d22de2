import type { Axis, SetAt, Unsqueeze } from '../axes.ts';
import type { Dim, IsOpen, Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { emit, expectThat, finite, normalAxis } from './emit.ts';

type Padded<S extends Shape> = IsOpen<S> extends true ? Dim[] : { -readonly [K in keyof S]: Dim };

/**
 * Elements of `value` (0 by default) before and after axes: `pads` has [before, after] for every axis, or for the last axes
 * only.
 */
export function pad<S extends Shape>(
  x: Tensor<S>,
  pads: readonly (readonly [before: number, after: number])[],
  value = 0,
): Tensor<Padded<S>> {
  const missing = x.shape.length - pads.length;
  expectThat(
    missing >= 0,
    'pad',
    () => `expected at most ${x.shape.length} pairs [before, after], got ${pads.length}`,
  );
  const none = new Array<number>(missing).fill(0);
  return emit('pad', [x], {
    before: [...none, ...pads.map(([before]) => before)],
    after: [...none, ...pads.map(([, after]) => after)],
    value: finite('pad', value),
  });
}

/** Tensors of one shape side by side along a new axis. */
export function stack<S extends Shape, const A extends Axis<[...S, 1]>>(
  tensors: readonly Tensor<S>[],
  axis: A,
): Tensor<SetAt<Unsqueeze<S, A>, A, number>> {
  const [first] = tensors;
  expectThat(first, 'stack', () => 'expected at least one tensor, got none');
  const at = normalAxis('stack', axis, first.shape.length + 1, first.shape);
  const shape = [...first.shape.slice(0, at), 1, ...first.shape.slice(at)];
  const rows = tensors.map((tensor) => emit('reshape', [tensor], { shape }, { name: 'row' }));
  return emit('concat', rows, { axis: at });
}
