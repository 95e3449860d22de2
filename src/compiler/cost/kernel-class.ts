import type { Attrs, TensorType } from '../../ir/node.ts';
import type { OpDef } from '../../ir/ops/op.ts';
import type { AccessPattern } from '../../ir/pattern.ts';

/**
 * Kernels that are bound by the same things on a device, with rates of their own in the time model.
 *
 * - `matmul`: sums products of two operands (matmul, linear, einsum)
 * - `convolution`: the same, over the places of an image
 * - `rows`: needs axes whole or sums over them (softmax, norms, reductions, pooling)
 * - `elementwise`: arithmetic on elements in order
 * - `copy`: moves elements without arithmetic, or reads or writes them out of order
 */
export type KernelClass = 'matmul' | 'convolution' | 'rows' | 'elementwise' | 'copy';

export const KERNEL_CLASSES = [
  'matmul',
  'convolution',
  'rows',
  'elementwise',
  'copy',
] as const satisfies readonly KernelClass[];

/** The class of an op's kernel over operands whose elements lie in order, read off its access pattern. */
export function kernelClass(
  def: OpDef,
  operands: readonly TensorType[],
  attrs: Attrs,
  out: TensorType,
): KernelClass {
  if (def.kernelClass) return def.kernelClass;
  if (def.flops(operands, attrs, out) === 0) return 'copy';
  const pattern = def.access?.(operands, attrs, out);
  if (!pattern) return 'rows';
  const sums = summedLabels(pattern);
  const products = pattern.operands.filter((axes) =>
    axes.some(({ labels }) => labels.some((label) => sums.has(label))),
  ).length;
  if (products > 1) return 'matmul';
  const windowed = pattern.operands.flat().some(({ window }) => window !== undefined);
  return sums.size > 0 || windowed || pattern.whole.length > 0 ? 'rows' : 'elementwise';
}

/** Labels that operands have and the output does not. */
function summedLabels({ operands, output }: AccessPattern): ReadonlySet<string> {
  const kept = new Set(output.flatMap(({ labels }) => labels));
  return new Set(
    operands.flatMap((axes) => axes.flatMap(({ labels }) => labels)).filter((label) => !kept.has(label)),
  );
}
