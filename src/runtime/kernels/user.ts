import { UserError } from '../../errors.ts';
import type { Tensor } from '../tensor.ts';

/** A kernel of a user's op, called like ours: `(...operands, { ...attributes, into, scratch })`. Writes all of `into`. */
export type UserKernel = (...args: never[]) => unknown;
/** A registered kernel as generated modules call it. */
export type UserCall = (...args: readonly unknown[]) => Tensor;

const kernels = new Map<string, UserCall>();

/**
 * Makes a kernel known to generated modules under the name of its op; `defineOp` does it for ops with a `kernel`.
 *
 * @throws UserError when the op has a kernel already.
 */
export function registerKernel(op: string, kernel: UserKernel): void {
  if (kernels.has(op)) throw new UserError(`the op "${op}" has a kernel already; choose another name`);
  const run = kernel as (...args: readonly unknown[]) => unknown;
  kernels.set(op, (...args) => {
    run(...args);
    return (args.at(-1) as { readonly into: Tensor }).into;
  });
}

/**
 * The kernel of a user's op: `k.user('name')(x, { into })`.
 *
 * @throws UserError naming the op when nothing has registered one.
 */
export function user(op: string): UserCall {
  const kernel = kernels.get(op);
  if (!kernel) {
    throw new UserError(
      `the op "${op}" has no kernel here. Import the file that defines it (defineOp with a kernel, or registerKernel) ` +
        'before running this module.',
    );
  }
  return kernel;
}
