import type { Layout } from '../../layout/layout.ts';
import type { Device, StorageView } from '../device.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import type { Seen } from '../tuned.ts';
import { append, axesOf, expanded, forEachFolded, repeatAlong } from './fold.ts';
import {
  broadcast,
  expect,
  expectShape,
  type ProductOptions,
  printShape,
  type SeenOptions,
} from './options.ts';

/*
 * One thread an output element; products are added in order of k, in float32. The order depends on nothing but k, so a
 * chunk of rows, columns or batches has the same bits as the whole.
 */

const product = defineKernel(
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

const productWithBias = defineKernel(
  function matmulBias(
    this: KernelThis,
    a: KernelArray,
    b: KernelArray,
    bias: KernelArray,
    inner: number,
  ): number {
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += a[this.thread.z]![this.thread.y]![k]! * b[this.thread.z]![k]![this.thread.x]!;
    }
    return sum + bias[0]![0]![this.thread.x]!;
  },
  3,
  ['Integer'],
);

const productOnto = defineKernel(
  function matmulOnto(
    this: KernelThis,
    a: KernelArray,
    b: KernelArray,
    c: KernelArray,
    inner: number,
  ): number {
    let sum = c[this.thread.z]![this.thread.y]![this.thread.x]!;
    for (let k = 0; k < inner; k++) {
      sum += a[this.thread.z]![this.thread.y]![k]! * b[this.thread.z]![k]![this.thread.x]!;
    }
    return sum;
  },
  3,
  ['Integer'],
);

/** The arrays of a product, of three axes; z of `a` and `b` may be 1. */
interface Arrays {
  readonly out: StorageView;
  readonly a: StorageView;
  readonly b: StorageView;
  /** One axis, that of x. */
  readonly bias?: StorageView | undefined;
}

/**
 * `out[z][y][x] = Σₖ a[z][y][k] · b[z][k][x] + bias[x]` by what the device multiplies with; `accumulate` starts the sum
 * at what is in `out`, and goes without bias.
 */
export function multiply(device: Device, { out, a, b, bias }: Arrays, accumulate = false, seen?: Seen): void {
  if (device.tuned) {
    const everywhere = bias && { storage: bias.storage, layout: expanded(bias.layout, out.layout.shape) };
    device.tuned.multiply({ out, a, b, bias: everywhere, accumulate, seen });
    return;
  }
  const inner = [a.layout.shape[2] as number];
  if (accumulate) device.dispatch(productOnto, out, [a, b, out], inner);
  else if (bias) device.dispatch(productWithBias, out, [a, b, bias], inner);
  else device.dispatch(product, out, [a, b], inner);
}

/** Matrix product over the last two axes; leading axes broadcast. */
export function matmul(
  a: Tensor,
  b: Tensor,
  { into, accumulate, columnsSeen, termsSeen }: ProductOptions & SeenOptions,
): Tensor {
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
  const seen = seenOf(columnsSeen, termsSeen);
  const views = [into.view, a.view, b.view];
  const matrices = views.map(({ layout }) => axesOf(layout, layout.shape.length - 2, layout.shape.length));
  forEachFolded(
    views.map(({ layout }) => expanded(axesOf(layout, 0, layout.shape.length - 2), batch)),
    1,
    (batches) => {
      const [out, a, b] = views.map(({ storage }, i) => ({
        storage,
        layout: append(batches[i] as Layout, matrices[i] as Layout),
      })) as [ViewOf, ViewOf, ViewOf];
      multiply(into.device, { out, a, b }, accumulate, seen);
    },
  );
  return into;
}
type ViewOf = Tensor['view'];

function seenOf(columns: number | undefined, terms: number | undefined): Seen | undefined {
  const first = columns ?? terms;
  if (first === undefined) return undefined;
  expect(
    columns === undefined || terms === undefined,
    'matmul',
    () => `expected one of columnsSeen and termsSeen, got ${columns} and ${terms}`,
  );
  expect(
    Number.isSafeInteger(first) && first >= 1,
    'matmul',
    () => `expected the first row to see an integer of at least 1, got ${first}`,
  );
  return { of: columns === undefined ? 'terms' : 'columns', first };
}

type LinearOptions = ProductOptions & { readonly transposed?: boolean };

/** Affine map of the last axis: x · wᵀ (+ bias); w is [out, in], or [in, out] when `transposed`. */
export function linear(x: Tensor, w: Tensor, options: LinearOptions): Tensor;
export function linear(x: Tensor, w: Tensor, bias: Tensor, options: LinearOptions): Tensor;
export function linear(
  x: Tensor,
  w: Tensor,
  ...rest: readonly [LinearOptions] | readonly [Tensor, LinearOptions]
): Tensor {
  const [bias, { into, transposed = false, accumulate }] = rest.length === 2 ? rest : [undefined, rest[0]];
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
  expect(!bias || !accumulate, 'linear', () => 'a sum that goes on takes no bias: add it once, at the end');
  expectShape('linear', 'a result', into, [...x.shape.slice(0, -1), outer]);
  const [out, input] = [into.view, x.view];
  const last = x.shape.length - 1;
  const matrix = { storage: w.storage, layout: repeatAlong(weight.view.layout, 0, 1) };
  forEachFolded([axesOf(out.layout, 0, last), axesOf(input.layout, 0, last)], 2, ([outRows, rows]) => {
    const ends = [out, input].map(({ layout }) => axesOf(layout, last, last + 1)) as [Layout, Layout];
    multiply(
      into.device,
      {
        out: { storage: out.storage, layout: append(outRows as Layout, ends[0]) },
        a: { storage: input.storage, layout: append(rows as Layout, ends[1]) },
        b: matrix,
        bias: bias?.view,
      },
      accumulate,
    );
  });
  return into;
}
