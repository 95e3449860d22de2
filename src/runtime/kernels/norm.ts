import type { StorageView } from '../device.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { dispatchFolded, dispatchLines, expanded, forEachRows, repeatAlong } from './fold.ts';
import { expect, expectElements, expectShape, type ScratchOptions, scratchOf } from './options.ts';

type NormOptions = ScratchOptions & { readonly epsilon?: number };

/** The mean as an offset from the first element: rounding grows with the spread of the row, not with its size. */
export const lineCentre = defineKernel(
  function centre(this: KernelThis, a: KernelArray, length: number): number {
    const first = a[this.thread.y]![this.thread.x]![0]!;
    let total = 0;
    for (let i = 1; i < length; i++) {
      total += a[this.thread.y]![this.thread.x]![i]! - first;
    }
    return first + total / length;
  },
  1,
  ['Integer'],
);

/** The sum of squared distances from the mean. */
export const lineSquares = defineKernel(
  function squaredDistances(this: KernelThis, a: KernelArray, mean: KernelArray, length: number): number {
    const centre = mean[0]![this.thread.y]![this.thread.x]!;
    let total = 0;
    for (let i = 0; i < length; i++) {
      const off = a[this.thread.y]![this.thread.x]![i]! - centre;
      total += off * off;
    }
    return total;
  },
  2,
  ['Integer'],
);

const deviation = defineKernel(
  function reciprocalDeviation(
    this: KernelThis,
    squares: KernelArray,
    length: number,
    epsilon: number,
  ): number {
    return 1 / Math.sqrt(squares[this.thread.z]![this.thread.y]![this.thread.x]! / length + epsilon);
  },
  1,
  ['Number', 'Number'],
);

const applyNorm = defineKernel(function layerNorm(
  this: KernelThis,
  a: KernelArray,
  mean: KernelArray,
  scale: KernelArray,
  weight: KernelArray,
  bias: KernelArray,
): number {
  const centred =
    a[this.thread.z]![this.thread.y]![this.thread.x]! - mean[this.thread.z]![this.thread.y]![this.thread.x]!;
  const normal = centred * scale[this.thread.z]![this.thread.y]![this.thread.x]!;
  return (
    normal * weight[this.thread.z]![this.thread.y]![this.thread.x]! +
    bias[this.thread.z]![this.thread.y]![this.thread.x]!
  );
}, 5);

/** Last axis shifted to mean 0 and scaled to variance 1, then weight and bias. Scratch: mean and 1/deviation of rows. */
export function layerNorm(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  { into, scratch, epsilon = 1e-5 }: NormOptions,
): Tensor {
  const { axis, length, along } = prepare('layerNorm', x, [weight, bias], into);
  const [mean, scale] = scratchOf('layerNorm', scratch, 2, x.shape.slice(0, -1)) as [
    StorageView,
    StorageView,
  ];
  if (byRows(x, weight, bias, into, epsilon)) return into;
  const source = x.view;
  const { device } = into;
  dispatchLines(device, lineCentre, mean, source, axis, [], [length]);
  dispatchLines(device, lineSquares, scale, source, axis, [mean], [length]);
  dispatchFolded(device, deviation, scale, [scale], [length, epsilon]);
  applyLayerNorm(x, along(mean), along(scale), weight, bias, into);
  return into;
}

/** Mean and reciprocal deviation have the shape of `x`. */
export function applyLayerNorm(
  x: Tensor,
  mean: StorageView,
  scale: StorageView,
  weight: Tensor,
  bias: Tensor,
  into: Tensor,
): void {
  const parameters = [channels(weight, x), channels(bias, x)];
  dispatchFolded(into.device, applyNorm, into.view, [x.view, mean, scale, ...parameters]);
}

const lineScale = defineKernel(
  function reciprocalRms(this: KernelThis, a: KernelArray, length: number, epsilon: number): number {
    let total = 0;
    for (let i = 0; i < length; i++) {
      total += a[this.thread.y]![this.thread.x]![i]! * a[this.thread.y]![this.thread.x]![i]!;
    }
    return 1 / Math.sqrt(total / length + epsilon);
  },
  1,
  ['Integer', 'Number'],
);

const applyRmsNorm = defineKernel(function rmsNorm(
  this: KernelThis,
  a: KernelArray,
  scale: KernelArray,
  weight: KernelArray,
): number {
  const normal =
    a[this.thread.z]![this.thread.y]![this.thread.x]! * scale[this.thread.z]![this.thread.y]![this.thread.x]!;
  return normal * weight[this.thread.z]![this.thread.y]![this.thread.x]!;
}, 3);

/** Last axis scaled to root mean square 1, then weight. Scratch: 1/rms of every row. */
export function rmsNorm(x: Tensor, weight: Tensor, { into, scratch, epsilon = 1e-5 }: NormOptions): Tensor {
  const { axis, length, along } = prepare('rmsNorm', x, [weight], into);
  const [scale] = scratchOf('rmsNorm', scratch, 1, x.shape.slice(0, -1)) as [StorageView];
  if (byRows(x, weight, undefined, into, epsilon)) return into;
  const source = x.view;
  const { device } = into;
  dispatchLines(device, lineScale, scale, source, axis, [], [length, epsilon]);
  dispatchFolded(device, applyRmsNorm, into.view, [source, along(scale), channels(weight, x)]);
  return into;
}

/** Computes rows by what the device has for them; false where it has nothing. */
function byRows(x: Tensor, weight: Tensor, bias: Tensor | undefined, into: Tensor, epsilon: number): boolean {
  const axis = x.shape.length - 1;
  const normalise = into.device.tuned?.normalise;
  if (!normalise) return false;
  forEachRows(into.view, x.view, axis, (out, rows) => {
    normalise({ out, x: rows, weight: weight.view, bias: bias?.view, epsilon });
  });
  return true;
}

function prepare(op: string, x: Tensor, parameters: readonly Tensor[], into: Tensor) {
  const axis = x.shape.length - 1;
  expect(axis >= 0, op, () => 'expected at least one axis, got a scalar');
  expectElements(op, x, axis);
  const length = x.shape[axis] as number;
  for (const parameter of parameters) expectShape(op, 'a parameter', parameter, [length]);
  expectShape(op, 'a result', into, x.shape);
  const along = ({ storage, layout }: StorageView): StorageView => ({
    storage,
    layout: repeatAlong(layout, axis, length),
  });
  return { axis, length, along };
}

/** A per-channel parameter seen in the shape of `x`. */
function channels(parameter: Tensor, x: Tensor): StorageView {
  const { storage, layout } = parameter.view;
  return { storage, layout: expanded(layout, x.shape) };
}
