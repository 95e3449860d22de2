import type { Tensor } from '../tensor.ts';
import { expect, expectAxis, type KernelOptions, printShape } from './options.ts';
import { copy } from './unary.ts';

/** Operands one after another along `axis`. */
export function concat(...args: readonly [...Tensor[], KernelOptions & { readonly axis: number }]): Tensor {
  const { into, axis } = args.at(-1) as KernelOptions & { readonly axis: number };
  const operands = args.slice(0, -1) as Tensor[];
  expectAxis('concat', into, axis);
  const total = operands.reduce((sum, operand) => sum + (operand.shape[axis] ?? 0), 0);
  expect(
    total === into.shape[axis],
    'concat',
    () => `operands have ${total} elements along axis ${axis}, the result ${printShape(into.shape)}`,
  );
  let start = 0;
  for (const operand of operands) {
    const stop = start + (operand.shape[axis] as number);
    copy(operand, { into: into.slice(axis, start, stop) });
    start = stop;
  }
  return into;
}
