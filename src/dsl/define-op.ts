import { mulDims } from '../ir/dims.ts';
import type { Attrs } from '../ir/node.ts';
import { registerOp } from '../ir/ops/index.ts';
import type { OpDef } from '../ir/ops/op.ts';
import { emit } from './ops/emit.ts';
import { SymbolicTensor, type Tensor } from './tensor.ts';

/** The device side of a user's op, called like the runtime's own kernels: `(...operands, { ...attrs, into, scratch })`. */
export type UserKernel = (...args: never[]) => unknown;

/**
 * A user's op: the same description as the library's own. Without `access` it is a barrier that is never cut; `flops`
 * defaults to one operation an output element.
 */
export interface DefineOp
  extends Omit<OpDef, 'summary' | 'flops'>,
    Partial<Pick<OpDef, 'summary' | 'flops'>> {
  readonly kernel?: UserKernel;
}

const kernels = new Map<string, UserKernel>();

/** The kernel given with a user's op. */
export const userKernel = (op: string): UserKernel | undefined => kernels.get(op);

/**
 * Defines an op and returns the function that records it: `(...operands, attrs?)`. Name its types with `F`, for example
 * `defineOp<<N extends Dim>(x: Tensor<[N]>) => Tensor<[N, N]>>({ … })`.
 *
 * @throws UserError when the name is taken or not an identifier.
 */
export function defineOp<F extends (...args: never[]) => Tensor = (...args: (Tensor | Attrs)[]) => Tensor>(
  definition: DefineOp,
): F {
  const { kernel, ...def } = definition;
  registerOp({
    summary: `user op ${def.name}`,
    flops: (_operands, _attrs, out) => Number(mulDims(1, ...out.shape)),
    ...def,
  });
  if (kernel) kernels.set(def.name, kernel);
  const record = (...args: (Tensor | Attrs)[]): Tensor => {
    const last = args.at(-1);
    const attrs = last === undefined || last instanceof SymbolicTensor ? undefined : (last as Attrs);
    const operands = (attrs ? args.slice(0, -1) : args) as Tensor[];
    return emit(def.name, operands, { ...def.defaults, ...attrs });
  };
  return record as (...args: never[]) => Tensor as F;
}
