import { addDims, canonicalDim, divDims, mulDims, printShape, sizeOf, subDims } from '../../ir/dims.ts';
import type { At, Axis, Permutation, Permute, RemoveAt, SetAt, Swap, Unsqueeze } from '../axes.ts';
import type { Dim, Known, Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import type {
  Concat,
  Concatenable,
  Expandable,
  Expanded,
  First,
  Repeat,
  Reshapable,
  Reshaped,
  SliceDim,
  Squeezable,
} from '../view-shapes.ts';
import { emit, expectThat, normalAxis } from './emit.ts';

/** The same elements in row-major order under another shape; one extent may be -1. */
export function reshape<S extends Shape, const T extends Shape>(
  x: Tensor<S>,
  shape: T & Reshapable<S, T>,
): Tensor<Reshaped<S, T>> {
  return emit('reshape', [x], { shape: completeShape(x.shape, shape) });
}

function completeShape(from: Shape, to: Shape): Shape {
  const at = to.indexOf(-1);
  if (at < 0) return to.map(canonicalDim);
  const rest = to.filter((_, i) => i !== at).map(canonicalDim);
  expectThat(!rest.includes(-1), 'reshape', () => `only one extent may be -1, got ${printShape(to)}`);
  const extent = divDims(sizeOf(from), mulDims(1, ...rest));
  expectThat(
    extent !== undefined && extent !== 0,
    'reshape',
    () => `no extent for -1 makes ${printShape(to)} hold the ${sizeOf(from)} elements of ${printShape(from)}`,
  );
  return to.map((dim) => (dim === -1 ? extent : canonicalDim(dim)));
}

/** Axes in another order: axis i of the result is axis `axes[i]` of `x`. */
export function permute<S extends Shape, const P extends readonly number[]>(
  x: Tensor<S>,
  axes: P & Permutation<S, P>,
): Tensor<Permute<S, P>> {
  const order: readonly number[] = axes;
  return emit('permute', [x], {
    axes: order.map((axis) => normalAxis('permute', axis, x.shape.length, x.shape)),
  });
}

/** Swaps two axes. */
export function transpose<S extends Shape, const A extends Axis<S>, const B extends Axis<S>>(
  x: Tensor<S>,
  a: A,
  b: B,
): Tensor<Swap<S, A, B>> {
  const [i, j] = [a, b].map((axis) => normalAxis('transpose', axis, x.shape.length, x.shape)) as [
    number,
    number,
  ];
  return emit('permute', [x], { axes: x.shape.map((_, axis) => (axis === i ? j : axis === j ? i : axis)) });
}

/**
 * Elements `start` (inclusive) to `stop` (exclusive, by default the end) of one axis. Negative numbers count from the
 * end, as in numpy.
 */
export function slice<
  S extends Shape,
  const A extends Axis<S>,
  const Start extends Dim,
  const Stop extends Dim | undefined = undefined,
>(x: Tensor<S>, axis: A, start: Start, stop?: Stop): Tensor<SetAt<S, A, SliceDim<At<S, A>, Start, Stop>>> {
  const at = normalAxis('slice', axis, x.shape.length, x.shape);
  const extent = x.shape[at] as Dim;
  const position = (dim: Dim): Dim =>
    typeof dim === 'number' && dim < 0 ? addDims(extent, dim) : canonicalDim(dim);
  const from = position(start);
  const length = subDims(stop === undefined ? extent : position(stop), from);
  expectThat(
    typeof length !== 'number' || length > 0,
    'slice',
    () =>
      `${String(start)} … ${stop === undefined ? '' : String(stop)} of axis ${at} of ${printShape(x.shape)} is empty`,
  );
  return emit('slice', [x], { axis: at, start: from, length });
}

/** Operands one after another along an axis; the other axes agree. */
export function concat<const T extends readonly Shape[], const A extends Axis<First<T>>>(
  tensors: readonly [...{ [K in keyof T]: Tensor<T[K]> & Concatenable<First<T>, T[K], NoInfer<A>> }],
  axis: A,
): Tensor<Known<Concat<T, A>>> {
  const parts: readonly Tensor[] = tensors;
  const first = parts[0];
  expectThat(first, 'concat', () => 'expected at least one tensor, got none');
  return emit('concat', parts, { axis: normalAxis('concat', axis, first.shape.length, first.shape) });
}

type Parts<S extends Shape, A extends number, N> = N extends number
  ? Repeat<Tensor<SetAt<S, A, number extends At<S, A> ? number : At<S, A> extends number ? number : Dim>>, N>
  : N extends readonly Dim[]
    ? { -readonly [K in keyof N]: Tensor<Known<SetAt<S, A, N[K] & Dim>>> }
    : never;

/** Cuts an axis into `sections` equal parts, or into parts of the listed extents. */
export function split<S extends Shape, const N extends number | readonly Dim[], const A extends Axis<S>>(
  x: Tensor<S>,
  sections: N,
  axis: A,
): Parts<S, A, N> {
  const at = normalAxis('split', axis, x.shape.length, x.shape);
  const extent = x.shape[at] as Dim;
  const lengths =
    typeof sections === 'number' ? equalParts(x.shape, at, sections) : sections.map(canonicalDim);
  const total = addDims(...lengths);
  expectThat(
    total === extent,
    'split',
    () =>
      `parts [${lengths.join(', ')}] add up to ${total}, axis ${at} of ${printShape(x.shape)} has ${extent}`,
  );
  let start: Dim = 0;
  return lengths.map((length, part) => {
    const value = emit('slice', [x], { axis: at, start, length }, { part });
    start = addDims(start, length);
    return value;
  }) as Parts<S, A, N>;
}

function equalParts(shape: Shape, axis: number, sections: number): Dim[] {
  const length =
    Number.isInteger(sections) && sections > 0 ? divDims(shape[axis] as Dim, sections) : undefined;
  expectThat(
    length !== undefined,
    'split',
    () => `axis ${axis} of ${printShape(shape)} cannot be cut into ${sections} equal parts`,
  );
  return Array.from({ length: sections }, () => length);
}

/** Repeats along axes of extent 1 (and new leading axes) without copying; -1 keeps an extent. */
export function expand<S extends Shape, const T extends Shape>(
  x: Tensor<S>,
  shape: T & Expandable<S, T>,
): Tensor<Expanded<S, T>> {
  const lead = shape.length - x.shape.length;
  const target = shape.map((dim, i) => (dim === -1 ? (x.shape[i - lead] ?? dim) : canonicalDim(dim)));
  return emit('expand', [x], { shape: target });
}
/** A new axis of extent 1 at position `axis` of the result. */
export function unsqueeze<S extends Shape, const A extends Axis<[...S, 1]>>(
  x: Tensor<S>,
  axis: A,
): Tensor<Unsqueeze<S, A>> {
  const at = normalAxis('unsqueeze', axis, x.shape.length + 1, x.shape);
  return emit('reshape', [x], { shape: [...x.shape.slice(0, at), 1, ...x.shape.slice(at)] });
}

/** Removes an axis of extent 1. */
export function squeeze<S extends Shape, const A extends Axis<S>>(
  x: Tensor<S> & Squeezable<S, A>,
  axis: A,
): Tensor<RemoveAt<S, A>> {
  const at = normalAxis('squeeze', axis, x.shape.length, x.shape);
  expectThat(
    x.shape[at] === 1,
    'squeeze',
    () => `expected extent 1 on axis ${at}, got ${x.shape[at]} in ${printShape(x.shape)}`,
  );
  return emit('reshape', [x], { shape: x.shape.filter((_, i) => i !== at) });
}
