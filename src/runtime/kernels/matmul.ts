import type { Layout } from '../../layout/layout.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { append, axesOf, expanded, forEachFolded } from './fold.ts';
import { broadcast, expect, expectShape, type KernelOptions, printShape } from './options.ts';

/*
 * One thread an output element; products are added in order of k, in float32. The order depends on nothing but k, so a
 * chunk of rows, columns or batches has the same bits as the whole.
 */

export const product = defineKernel(
  function matmul(this: KernelThis, a: KernelArray, b: KernelArray, inner: number): number {
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += a[this.thread.z]![this.thread.y]![k]! * b[this.thread.z]![k]![this.thread.x]!;
    }
    return sum;
  },
  2,
  ['Integer'],
);

/** Matrix product over the last two axes; leading axes broadcast. */
export function matmul(a: Tensor, b: Tensor, { into }: KernelOptions): Tensor {
  for (const { shape } of [a, b]) {
    expect(shape.length >= 2, 'matmul', () => `expected matrices (rank ≥ 2), got ${printShape(shape)}`);
  }
  const inner = a.shape.at(-1) as number;
  expect(
    inner === b.shape.at(-2),
    'matmul',
    () => `contracted extents differ: ${printShape(a.shape)} · ${printShape(b.shape)}`,
  );
  const batch = broadcast('matmul: leading axes', [a.shape.slice(0, -2), b.shape.slice(0, -2)]);
  expectShape('matmul', 'a result', into, [...batch, a.shape.at(-2) as number, b.shape.at(-1) as number]);
  const views = [into.view, a.view, b.view];
  const matrices = views.map(({ layout }) => axesOf(layout, layout.shape.length - 2, layout.shape.length));
  forEachFolded(
    views.map(({ layout }) => expanded(axesOf(layout, 0, layout.shape.length - 2), batch)),
    1,
    (batches) => {
      const [out, left, right] = views.map(({ storage }, i) => ({
        storage,
        layout: append(batches[i] as Layout, matrices[i] as Layout),
      })) as [ViewOf, ViewOf, ViewOf];
      into.device.dispatch(product, out, [left, right], [inner]);
    },
  );
  return into;
}
type ViewOf = Tensor['view'];

const affine = defineKernel(
  function linear(this: KernelThis, x: KernelArray, w: KernelArray, inner: number): number {
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += x[this.thread.z]![this.thread.y]![k]! * w[0]![k]![this.thread.x]!;
    }
    return sum;
  },
  2,
  ['Integer'],
);

const affineWithBias = defineKernel(
  function linearBias(
    this: KernelThis,
    x: KernelArray,
    w: KernelArray,
    bias: KernelArray,
    inner: number,
  ): number {
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += x[this.thread.z]![this.thread.y]![k]! * w[0]![k]![this.thread.x]!;
    }
    return sum + bias[0]![0]![this.thread.x]!;
  },
  3,
  ['Integer'],
);

type LinearOptions = KernelOptions & { readonly transposed?: boolean };

/** Affine map of the last axis: x · wᵀ (+ bias); w is [out, in], or [in, out] when `transposed`. */
export function linear(x: Tensor, w: Tensor, options: LinearOptions): Tensor;
export function linear(x: Tensor, w: Tensor, bias: Tensor, options: LinearOptions): Tensor;
export function linear(
  x: Tensor,
  w: Tensor,
  ...rest: readonly [LinearOptions] | readonly [Tensor, LinearOptions]
): Tensor {
  const [bias, { into, transposed = false }] = rest.length === 2 ? rest : [undefined, rest[0]];
  expect(w.shape.length === 2, 'linear', () => `expected a weight matrix, got ${printShape(w.shape)}`);
  // Seen as [in, out] either way.
  const weight = transposed ? w : w.permute([1, 0]);
  const [inner, outer] = weight.shape as readonly [number, number];
  expect(
    x.shape.at(-1) === inner,
    'linear',
    () => `expected last axis ${inner} for weight ${printShape(w.shape)}, got ${printShape(x.shape)}`,
  );
  if (bias) expectShape('linear', 'a bias', bias, [outer]);
  expectShape('linear', 'a result', into, [...x.shape.slice(0, -1), outer]);
  const [out, input] = [into.view, x.view];
  const last = x.shape.length - 1;
  forEachFolded([axesOf(out.layout, 0, last), axesOf(input.layout, 0, last)], 2, ([outRows, rows]) => {
    into.device.dispatch(
      bias ? affineWithBias : affine,
      { storage: out.storage, layout: append(outRows as Layout, axesOf(out.layout, last, last + 1)) },
      [
        { storage: input.storage, layout: append(rows as Layout, axesOf(input.layout, last, last + 1)) },
        weight.view,
        ...(bias ? [bias.view] : []),
      ],
      [inner],
    );
  });
  return into;
}
