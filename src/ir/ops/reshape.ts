import { reshapeLayout } from '../../layout/layout.ts';
import { type Dim, divDims, mulDims, printShape, type Shape, sizeOf } from '../dims.ts';
import { type AccessPattern, pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { dimsAttr, take } from './support.ts';

/**
 * How the axes of a reshape correspond. Runs of axes with equal products form groups; inside a group, axes split into
 * common factors that become labels (`[N, 512] → [N, 8, 64]` is `a (b c) -> a b c`). A group without a common
 * factorisation (`[6, 4] → [4, 6]`) cannot be cut: its axes get labels of their own, needed whole.
 */
function reshapePattern(from: Shape, to: Shape): AccessPattern {
  const extents: Record<string, Dim> = {};
  const terms = { from: from.map((): string[] => []), to: to.map((): string[] => []) };
  let labels = 0;
  const fresh = (extent: Dim): string => {
    const label = `a${labels++}`;
    extents[label] = extent;
    return label;
  };
  for (const { left, right } of alignedGroups(from, to)) {
    const factors = commonFactors(
      left.map((axis) => from[axis] as Dim),
      right.map((axis) => to[axis] as Dim),
    );
    if (factors) {
      for (const { extent, left: i, right: j } of factors) {
        const label = fresh(extent);
        terms.from[left[i] as number]?.push(label);
        terms.to[right[j] as number]?.push(label);
      }
    } else {
      for (const axis of left) terms.from[axis]?.push(`${fresh(from[axis] as Dim)}!`);
      for (const axis of right) terms.to[axis]?.push(`${fresh(to[axis] as Dim)}!`);
    }
  }
  const side = (axes: readonly string[][]): string =>
    axes
      .map((names) => (names.length === 0 ? '1' : names.length === 1 ? names[0] : `(${names.join(' ')})`))
      .join(' ');
  return pattern(`${side(terms.from)} -> ${side(terms.to)}`, [from], to, { extents });
}

interface Group {
  /** Axes of the operand and of the result, outermost first. */
  readonly left: number[];
  readonly right: number[];
}

/** The shortest runs of axes with equal products; axes of extent 1 belong to none. */
function alignedGroups(from: Shape, to: Shape): Group[] {
  const left = from.flatMap((extent, axis) => (extent === 1 ? [] : [axis]));
  const right = to.flatMap((extent, axis) => (extent === 1 ? [] : [axis]));
  const groups: Group[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    const [m, n] = shortestEqualRuns(
      left.slice(i).map((axis) => from[axis] as Dim),
      right.slice(j).map((axis) => to[axis] as Dim),
    );
    groups.push({ left: left.slice(i, i + m), right: right.slice(j, j + n) });
    i += m;
    j += n;
  }
  return groups;
}

function shortestEqualRuns(left: readonly Dim[], right: readonly Dim[]): [number, number] {
  const products = (dims: readonly Dim[]): Dim[] => dims.map((_, i) => mulDims(1, ...dims.slice(0, i + 1)));
  const candidates = products(right);
  for (const [i, product] of products(left).entries()) {
    const j = candidates.indexOf(product);
    if (j >= 0) return [i + 1, j + 1];
  }
  return [left.length, right.length];
}

/** Factors, outermost first, that both lists of extents are products of; undefined when there are none. */
function commonFactors(
  left: readonly Dim[],
  right: readonly Dim[],
): { extent: Dim; left: number; right: number }[] | undefined {
  const factors: { extent: Dim; left: number; right: number }[] = [];
  let [i, j] = [0, 0];
  let [a, b] = [left[0], right[0]];
  while (a !== undefined && b !== undefined) {
    const aSpans = divDims(a, b);
    const bSpans = divDims(b, a);
    if (aSpans === undefined && bSpans === undefined) return undefined;
    factors.push({ extent: aSpans === undefined ? a : b, left: i, right: j });
    [a, b] = [
      aSpans === 1 || aSpans === undefined ? left[++i] : aSpans,
      bSpans === 1 || aSpans !== undefined ? right[++j] : bSpans,
    ];
  }
  return a === undefined && b === undefined ? factors : undefined;
}

export const reshape: OpDef = {
  name: 'reshape',
  summary: 'the same elements in row-major order under another shape',
  infer(operands, attrs) {
    const [x] = take('reshape', operands, 1);
    const shape = dimsAttr(attrs, 'shape');
    check(
      sizeOf(x.shape) === sizeOf(shape),
      'reshape',
      () =>
        `${printShape(x.shape)} has ${sizeOf(x.shape)} elements, ${printShape(shape)} has ${sizeOf(shape)}`,
    );
    return { shape, dtype: x.dtype };
  },
  access: (operands, _attrs, out) => reshapePattern(take('reshape', operands, 1)[0].shape, out.shape),
  resize: (attrs, shape) => ({ ...attrs, shape }),
  flops: () => 0,
  layout: (operand, _attrs, shape) => reshapeLayout(operand, shape),
  reference: (operands) => Float64Array.from(take('reshape', operands, 1)[0].data),
};
