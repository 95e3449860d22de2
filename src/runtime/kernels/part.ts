import type { Kernel } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { elementwise } from './fold.ts';
import type { KernelOptions } from './options.ts';

/** The kernel of an elementwise op, and the numbers it takes. */
export interface Part {
  readonly kernel: Kernel;
  readonly scalars: readonly number[];
}

type PartOf<A> = (attributes: A) => Part;

const known = new Map<string, PartOf<never>>();

/** Makes an elementwise op known as a part of fused ones. Returns what runs it alone. */
export function definePart<A extends object>(
  op: string,
  part: PartOf<A>,
): (operands: readonly Tensor[], options: KernelOptions & A) => Tensor {
  known.set(op, part);
  return (operands, options) => {
    const { kernel, scalars } = part(options);
    return elementwise(op, kernel, operands, options.into, scalars);
  };
}

/** The part that an op with given attributes is; undefined for other ops. */
export const partOf = (op: string, attributes: object): Part | undefined =>
  known.get(op)?.(attributes as never);

/** The ops that can be parts, by name. */
export const partNames = (): readonly string[] => [...known.keys()];
