import type { Tensor } from '../tensor.ts';
import { full } from './generate.ts';
import { expectShape, type KernelOptions } from './options.ts';
import { copy } from './unary.ts';

/** `before` and `after` elements of `value` around every axis. */
export function pad(
  x: Tensor,
  {
    into,
    before,
    after,
    value = 0,
  }: KernelOptions & {
    readonly before: readonly number[];
    readonly after: readonly number[];
    readonly value?: number;
  },
): Tensor {
  const start = (axis: number): number => before[axis] ?? 0;
  const shape = x.shape.map((extent, axis) => start(axis) + extent + (after[axis] ?? 0));
  expectShape('pad', 'a result', into, shape);
  full({ into, shape, value });
  const inside = x.shape.reduce(
    (target, extent, axis) => target.slice(axis, start(axis), start(axis) + extent),
    into,
  );
  copy(x, { into: inside });
  return into;
}
