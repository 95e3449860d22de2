import { UserError } from '../errors.ts';
import { elementCount } from '../layout/layout.ts';
import type { DType } from './device.ts';

const LARGEST_EXACT_INTEGER = 2 ** 24;

/** The numbers as floats. Throws UserError when they are not one per element, or not integers for i32. */
export function checked(
  op: string,
  data: ArrayLike<number>,
  shape: readonly number[],
  dtype: DType,
): Float32Array {
  const count = elementCount(shape);
  if (data.length !== count) {
    throw new UserError(
      `${op}: [${shape.join(', ')}] has ${count} elements, got ${data.length}. Give one number per element.`,
    );
  }
  if (dtype === 'i32') checkIntegers(op, data);
  return data instanceof Float32Array ? data : Float32Array.from(data);
}

function checkIntegers(op: string, data: ArrayLike<number>): void {
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (!Number.isInteger(value) || Math.abs(value) > LARGEST_EXACT_INTEGER) {
      throw new UserError(
        `${op}: element ${i} is ${value}, but an i32 tensor holds integers of magnitude up to 2^24. ` +
          'Round it, or use an f32 tensor.',
      );
    }
  }
}
