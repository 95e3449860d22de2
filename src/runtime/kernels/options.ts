import { UserError } from '../../errors.ts';
import type { StorageView } from '../device.ts';
import type { Tensor } from '../tensor.ts';

/** What every kernel call takes besides operands and attributes. */
export interface KernelOptions {
  /** Where the result goes: a tensor of exactly the result's shape, any strides. It is also what the call returns. */
  readonly into: Tensor;
}

/** For sums of products. */
export interface ProductOptions extends KernelOptions {
  /** Adds to what is in `into`: the sum goes on where it left off, with the bits that it has at once. */
  readonly accumulate?: boolean;
}

/** For products of which rows see only the beginning: row i sees `… + i`. */
export interface SeenOptions {
  /** Columns of the result that row 0 needs; later ones are left as they are, or computed. */
  readonly columnsSeen?: number;
  /** Terms of a sum that row 0 has; later ones must be zeros of the left operand. */
  readonly termsSeen?: number;
}

/** For kernels that need temporary storages: one tensor each, shapes as the op's description says. */
export interface ScratchOptions extends KernelOptions {
  readonly scratch: readonly Tensor[];
}

export const printShape = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((extent, i) => extent === b[i]);

/** Throws UserError `op: what was expected, what was got`. */
export function expect(condition: unknown, op: string, message: () => string): asserts condition {
  if (!condition) throw new UserError(`${op}: ${message()}`);
}

export function expectShape(op: string, what: string, tensor: Tensor, shape: readonly number[]): void {
  expect(
    sameShape(tensor.shape, shape),
    op,
    () => `expected ${what} of shape ${printShape(shape)}, got ${printShape(tensor.shape)}`,
  );
}

export function expectAxis(op: string, tensor: Tensor, axis: number): void {
  expect(
    Number.isInteger(axis) && axis >= 0 && axis < tensor.shape.length,
    op,
    () => `axis ${axis} is out of range for ${printShape(tensor.shape)}`,
  );
}

/** Lines of no elements have no maximum and no mean. */
export function expectElements(op: string, tensor: Tensor, axis: number): void {
  expect(tensor.shape[axis] !== 0, op, () => `axis ${axis} of ${printShape(tensor.shape)} has no elements`);
}

/** The scratch tensors of a call, all of one shape. */
export function scratchOf(
  op: string,
  scratch: readonly Tensor[],
  count: number,
  shape: readonly number[],
): StorageView[] {
  expect(
    scratch.length === count,
    op,
    () => `expected ${count} scratch tensor${count === 1 ? '' : 's'}, got ${scratch.length}`,
  );
  for (const tensor of scratch) expectShape(op, 'scratch', tensor, shape);
  return scratch.map((tensor) => tensor.view);
}

/** The shape of a result of elementwise broadcasting; UserError when shapes do not fit. */
export function broadcast(op: string, shapes: readonly (readonly number[])[]): readonly number[] {
  return shapes.reduce((left, right) => {
    const rank = Math.max(left.length, right.length);
    return Array.from({ length: rank }, (_, axis) => {
      const a = left[axis - rank + left.length] ?? 1;
      const b = right[axis - rank + right.length] ?? 1;
      expect(
        a === b || a === 1 || b === 1,
        op,
        () => `cannot broadcast ${printShape(left)} with ${printShape(right)}`,
      );
      return a === 1 ? b : a;
    });
  });
}
