import { mulDims } from '../ir/dims.ts';
import type { Attrs } from '../ir/node.ts';
import { registerOp } from '../ir/ops/index.ts';
import type { OpDef } from '../ir/ops/op.ts';
import { emit } from './ops/emit.ts';
import { SymbolicTensor, type Tensor } from './tensor.ts';

/**
 * A user's op: the same description as the library's own. Without `access` it is a barrier that is never cut; `flops`
 * defaults to one operation an output element.
 */
export interface DefineOp
  extends Omit<OpDef, 'summary' | 'flops'>,
    Partial<Pick<OpDef, 'summary' | 'flops'>> {}

/** Registers the description and returns the function that records the op. See `defineOp` of the package. */
export function defineOp<F extends (...args: never[]) => Tensor>(def: DefineOp): F {
  registerOp({
    summary: `user op ${def.name}`,
    flops: (_operands, _attrs, out) => Number(mulDims(1, ...out.shape)),
    ...def,
  });
  const record = (...args: (Tensor | Attrs)[]): Tensor => {
    const last = args.at(-1);
    const attrs = last === undefined || last instanceof SymbolicTensor ? undefined : (last as Attrs);
    const operands = (attrs ? args.slice(0, -1) : args) as Tensor[];
    return emit(def.name, operands, { ...def.defaults, ...attrs });
  };
  return record as (...args: never[]) => Tensor as F;
}
