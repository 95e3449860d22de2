import type { StorageView } from '../device.ts';
import { defineKernel, type Kernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import type { TunedKernels } from '../tuned.ts';
import { multiply } from './matmul.ts';
import { expect, expectShape, type KernelOptions, printShape } from './options.ts';

/*
 * Both operands are read where they lie, through strides. Products are added over the contracted labels, the first one
 * outermost, whatever the other axes are: a part has the bits of the whole.
 */

/** Both operands depend on every axis of the result. */
const paired = defineKernel(
  function einsumPaired(this: KernelThis, a: KernelArray, b: KernelArray, inner: number): number {
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += a[this.thread.y]![this.thread.x]![k]! * b[this.thread.y]![this.thread.x]![k]!;
    }
    return sum;
  },
  2,
  ['Integer'],
);

/** Lanes run along an axis of both operands: z belongs to the first one, y to the second. */
const shared = defineKernel(
  function einsumShared(this: KernelThis, a: KernelArray, b: KernelArray, inner: number): number {
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += a[this.thread.z]![k]![this.thread.x]! * b[this.thread.y]![k]![this.thread.x]!;
    }
    return sum;
  },
  2,
  ['Integer'],
);

/** Two contracted axes that are not one: y belongs to the first operand, x to the second. */
const twoSums = defineKernel(
  function einsumTwoSums(
    this: KernelThis,
    a: KernelArray,
    b: KernelArray,
    outer: number,
    inner: number,
  ): number {
    let sum = 0;
    for (let i = 0; i < outer; i++) {
      for (let k = 0; k < inner; k++) {
        sum += a[i]![this.thread.y]![k]! * b[i]![k]![this.thread.x]!;
      }
    }
    return sum;
  },
  2,
  ['Integer', 'Integer'],
);

/** Three contracted axes: one element of the result. */
const threeSums = defineKernel(
  function einsumThreeSums(
    this: KernelThis,
    a: KernelArray,
    b: KernelArray,
    outermost: number,
    outer: number,
    inner: number,
  ): number {
    let sum = 0;
    for (let h = 0; h < outermost; h++) {
      for (let i = 0; i < outer; i++) {
        for (let k = 0; k < inner; k++) {
          sum += a[h]![i]![k]! * b[h]![i]![k]!;
        }
      }
    }
    return sum;
  },
  2,
  ['Integer', 'Integer', 'Integer'],
);

/** One axis of the iteration: its extent, and the strides of result, first and second operand along it. */
interface Axis {
  readonly extent: number;
  readonly strides: readonly [out: number, a: number, b: number];
}
const NONE: Axis = { extent: 1, strides: [0, 0, 0] };

/** Sums of products of elements of two tensors by an equation such as `sia,sjb->ijab`. */
export function einsum(
  a: Tensor,
  b: Tensor,
  { into, equation }: KernelOptions & { readonly equation: string },
): Tensor {
  const { kept, contracted } = axesOf(equation, a, b, into);
  const sums = fold(contracted);
  const views = [into.view, a.view, b.view] as const;
  const { tuned } = into.device;
  if (tuned) multiplyMatrices(tuned, arrange(views, kept), sums);
  else if (sums.length > 2) addThreeSums(into, views, kept, sums);
  else runKernels(into, arrange(views, kept), sums);
  return into;
}

/** Which axis of the result is which of a product. */
interface Arrangement {
  /** The operands, swapped where that fills the lanes. */
  readonly order: Views;
  /** Strides of axes in this order. */
  readonly turned: (axis: Axis) => Axis;
  /** An axis of the first operand alone, and one of the second; none where there is none. */
  readonly y: Axis;
  readonly x: Axis;
  readonly rest: readonly Axis[];
}

const dependsOn = ({ strides: [, first, second] }: Axis, onA: boolean, onB: boolean): boolean =>
  (first !== 0) === onA && (second !== 0) === onB;

function arrange(views: Views, kept: readonly Axis[]): Arrangement {
  const groups = fold(kept);
  const ofA = groups.filter((axis) => dependsOn(axis, true, false));
  const ofB = groups.filter((axis) => dependsOn(axis, false, true));
  // Without an axis of its own the second operand leaves the lanes idle: let the first one have them.
  const swap = ofB.length === 0 && ofA.length > 0;
  const turned = (axis: Axis): Axis =>
    swap ? { ...axis, strides: [axis.strides[0], axis.strides[2], axis.strides[1]] } : axis;
  const [rows, columns] = swap ? [ofB, ofA] : [ofA, ofB];
  const y = turned(rows.reduce(larger, NONE));
  const x = turned(columns.reduce(denser, NONE));
  const rest = groups.map(turned).filter((axis) => !same(axis, x) && !same(axis, y));
  return { order: swap ? [views[0], views[2], views[1]] : views, turned, y, x, rest };
}

const same = (a: Axis, b: Axis): boolean =>
  a.extent === b.extent && a.strides.every((stride, i) => stride === b.strides[i]);

/**
 * All of it as products of the device's own, sums of several axes going on from one product to the next: whatever the strides
 * and the extents are, an element is computed in the same way.
 */
function multiplyMatrices(
  tuned: TunedKernels<StorageView>,
  { order, turned, y, x, rest }: Arrangement,
  sums: readonly Axis[],
): void {
  // Nothing to sum gives zeros.
  const k = sums.some(({ extent }) => extent === 0) ? [{ ...NONE, extent: 0 }] : sums.map(turned);
  const last = k.at(-1) ?? NONE;
  const outer = k.slice(0, -1);
  const lanes = outer.length === 0 && rest.find(({ strides }) => strides.every((stride) => stride === 1));
  if (lanes) {
    forEachPoint(
      order,
      rest.filter((axis) => axis !== lanes),
      (at) => tuned.multiplyLanes(at.views([y, x, lanes], [y, last, lanes], [x, last, lanes])),
    );
    return;
  }
  const z = rest.find((axis) => continues(axis, x)) ?? rest.reduce(larger, NONE);
  const around = rest.filter((axis) => axis !== z);
  forEachPoint(order, [...around, ...outer], (at, index) => {
    const accumulate = index.slice(around.length).some((i) => i > 0);
    tuned.multiply({ ...at.views([z, y, x], [z, y, last], [z, last, x]), accumulate });
  });
}

/** Whether the second operand has both axes in one, and the first has neither. */
const continues = (axis: Axis, x: Axis): boolean =>
  axis.strides[1] === 0 && axis.strides[2] !== 0 && axis.strides[2] === x.strides[2] * x.extent;

function addThreeSums(into: Tensor, views: Views, kept: readonly Axis[], sums: readonly Axis[]): void {
  const inner = sums.map(({ extent }) => extent);
  const axes = sums as unknown as Triple;
  forEachPoint(views, kept, (at) => at.run(into, threeSums, [NONE, NONE, NONE], axes, axes, inner));
}

function runKernels(into: Tensor, { order, turned, y, x, rest }: Arrangement, sums: readonly Axis[]): void {
  const k = sums.map(turned);
  const inner = k.map(({ extent }) => extent);
  if (k.length === 2) {
    const [outer, last] = k as [Axis, Axis];
    forEachPoint(order, rest, (at) =>
      at.run(into, twoSums, [NONE, y, x], [outer, y, last], [outer, last, x], inner),
    );
    return;
  }
  const [last = NONE] = k;
  if (x === NONE && y === NONE) {
    const [row, column] = [rest.at(-2) ?? NONE, rest.at(-1) ?? NONE];
    forEachPoint(order, rest.slice(0, -2), (at) =>
      at.run(into, paired, [NONE, row, column], [row, column, last], [row, column, last], [last.extent]),
    );
    return;
  }
  const lanes = rest.find((axis) => axis.strides[0] === 1 && dependsOn(axis, true, true));
  if (lanes) {
    forEachPoint(
      order,
      rest.filter((axis) => axis !== lanes),
      (at) => at.run(into, shared, [y, x, lanes], [y, last, lanes], [x, last, lanes], [last.extent]),
    );
    return;
  }
  const z = rest.reduce(larger, NONE);
  forEachPoint(
    order,
    rest.filter((axis) => axis !== z),
    (at) => multiply(into.device, at.views([z, y, x], [z, y, last], [z, last, x])),
  );
}

type Triple = readonly [Axis, Axis, Axis];
type Views = readonly [out: StorageView, a: StorageView, b: StorageView];

const larger = (best: Axis, axis: Axis): Axis => (axis.extent > best.extent ? axis : best);

/** For the lanes: where the result lies densely if that fills them, else the longest. */
const denser = (best: Axis, axis: Axis): Axis =>
  axis.strides[0] === 1 && axis.extent >= 4 ? axis : larger(best, axis);

/** Merges neighbours that all three tensors address like one axis; axes of extent 1 vanish. */
function fold(axes: readonly Axis[]): Axis[] {
  const folded: Axis[] = [];
  for (const axis of axes) {
    if (axis.extent === 1) continue;
    const last = folded.at(-1);
    if (last?.strides.every((stride, i) => stride === (axis.strides[i] as number) * axis.extent)) {
      folded[folded.length - 1] = { extent: last.extent * axis.extent, strides: axis.strides };
    } else folded.push(axis);
  }
  return folded;
}

/** Runs kernels at one index of the axes that the host loops over. */
interface Point {
  views(out: Triple, a: Triple, b: Triple): { out: StorageView; a: StorageView; b: StorageView };
  run(into: Tensor, kernel: Kernel, out: Triple, a: Triple, b: Triple, extents: readonly number[]): void;
}

/** Calls `visit` for every index of `axes`, the last one fastest; the three tensors are seen from there on. */
function forEachPoint(
  views: Views,
  axes: readonly Axis[],
  visit: (at: Point, index: readonly number[]) => void,
): void {
  const steps = (from: number, offsets: readonly number[], index: readonly number[]): void => {
    const axis = axes[from];
    if (axis === undefined) {
      const view = (tensor: 0 | 1 | 2, triple: Triple): StorageView => ({
        storage: views[tensor].storage,
        layout: {
          shape: triple.map(({ extent }) => extent),
          strides: triple.map(({ strides }) => strides[tensor]),
          offset: offsets[tensor] as number,
        },
      });
      visit(
        {
          views: (out, a, b) => ({ out: view(0, out), a: view(1, a), b: view(2, b) }),
          run: (into, kernel, out, a, b, extents) =>
            into.device.dispatch(kernel, view(0, out), [view(1, a), view(2, b)], extents),
        },
        index,
      );
      return;
    }
    for (let i = 0; i < axis.extent; i++) {
      steps(
        from + 1,
        offsets.map((offset, tensor) => offset + i * (axis.strides[tensor] as number)),
        [...index, i],
      );
    }
  };
  steps(
    0,
    views.map(({ layout }) => layout.offset),
    [],
  );
}

/** The axes of the iteration in label order: those of the result, and those summed over. */
function axesOf(equation: string, a: Tensor, b: Tensor, into: Tensor): { kept: Axis[]; contracted: Axis[] } {
  const match = /^([A-Za-z]*),([A-Za-z]*)->([A-Za-z]*)$/.exec(equation);
  expect(match, 'einsum', () => `expected an equation such as 'sia,sjb->ijab', got '${equation}'`);
  const [, left = '', right = '', result = ''] = match;
  const extents = new Map<string, number>();
  for (const [labels, { shape }] of [
    [left, a],
    [right, b],
  ] as const) {
    expect(
      labels.length === shape.length && new Set(labels).size === labels.length,
      'einsum',
      () => `'${labels}' of '${equation}' does not name the axes of ${printShape(shape)}`,
    );
    [...labels].forEach((label, axis) => {
      const extent = shape[axis] as number;
      expect(
        (extents.get(label) ?? extent) === extent,
        'einsum',
        () => `${label} is ${extents.get(label)} and ${extent} in '${equation}'`,
      );
      extents.set(label, extent);
    });
  }
  for (const label of result) {
    expect(extents.has(label), 'einsum', () => `${label} appears only in the result of '${equation}'`);
  }
  expectShape(
    'einsum',
    'a result',
    into,
    [...result].map((label) => extents.get(label) as number),
  );
  const terms = [
    [result, into],
    [left, a],
    [right, b],
  ] as const;
  const axis = (label: string): Axis => ({
    extent: extents.get(label) as number,
    strides: terms.map(([labels, { layout }]) => layout.strides[labels.indexOf(label)] ?? 0) as unknown as [
      number,
      number,
      number,
    ],
  });
  const summed = [...extents.keys()].filter((label) => !result.includes(label));
  expect(summed.length <= 3, 'einsum', () => `'${equation}' sums over more than 3 labels`);
  return { kept: [...result].map(axis), contracted: summed.map(axis) };
}
