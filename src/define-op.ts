import { type DefineOp as Description, defineOp as describeOp } from './dsl/define-op.ts';
import type { Tensor } from './dsl/tensor.ts';
import type { Attrs } from './ir/node.ts';
import { registerKernel, type UserKernel } from './runtime/kernels/user.ts';

export type { UserKernel } from './runtime/kernels/user.ts';

/** A user's op: its description, and the kernel that computes it on devices. */
export interface DefineOp extends Description {
  /** Called as `(...operands, { ...attributes, into, scratch })`; writes all of `into`. Without one the op only traces. */
  readonly kernel?: UserKernel;
}

/**
 * Defines an op and returns the function that records it: `(...operands, attrs?)`. It is as first-class as the library's
 * own: cut where its access pattern allows, called by generated modules as `k.user('name')`. Name its types with `F`, for
 * example `defineOp<<N extends Dim>(x: Tensor<[N]>) => Tensor<[N, N]>>({ … })`.
 *
 * @throws UserError when the name is taken or not an identifier.
 */
export function defineOp<F extends (...args: never[]) => Tensor = (...args: (Tensor | Attrs)[]) => Tensor>(
  definition: DefineOp,
): F {
  const { kernel, ...description } = definition;
  const record = describeOp<F>(description);
  if (kernel) registerKernel(definition.name, kernel);
  return record;
}
