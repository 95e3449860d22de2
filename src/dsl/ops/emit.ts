import type { Shape } from '../../ir/dims.ts';
import type { Attrs } from '../../ir/node.ts';
import { type RecordOptions, recorder } from '../../trace/recorder.ts';
import type { Tensor } from '../tensor.ts';

/** Records an op of the model being traced; `S` is the shape that the caller's types promise. */
export const emit = <S extends Shape>(
  op: string,
  operands: readonly Tensor[],
  attrs: Attrs = {},
  options: RecordOptions = {},
): Tensor<S> => recorder(op).op(op, operands, attrs, options) as Tensor as Tensor<S>;

/** Fails as the op would, with the call site. */
export function expectThat(condition: unknown, op: string, message: () => string): asserts condition {
  if (condition) return;
  const active = recorder(op);
  throw active.fault(`${op}: ${message()}`, active.site());
}

/** A non-negative axis. */
export function normalAxis(op: string, axis: number, rank: number, of: Shape): number {
  expectThat(
    Number.isInteger(axis) && axis >= -rank && axis < rank,
    op,
    () => `axis ${axis} is out of range for [${of.join(', ')}]`,
  );
  return axis < 0 ? axis + rank : axis;
}

/** A number that float32 can hold. */
export function finite(op: string, value: number): number {
  expectThat(
    Number.isFinite(Math.fround(value)),
    op,
    () => `expected a finite float32 number, got ${value}; the largest is 3.4028234663852886e38`,
  );
  return value;
}
