import type { Layout } from '../../layout/layout.ts';
import type { StorageView } from '../device.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { append, axesOf, dispatchLines, forEachFolded, repeatAlong, withoutAxis } from './fold.ts';
import { MOMENTS, scaleOfMoments } from './moments.ts';
import { applyLayerNorm, lineCentre, lineSquares } from './norm.ts';
import { expect, expectElements, expectShape, type ScratchOptions, scratchOf } from './options.ts';

const gather = defineKernel(
  function layerMoments(this: KernelThis, mean: KernelArray, squares: KernelArray, length: number): number {
    return this.thread.x < 0.5
      ? length
      : this.thread.x < 1.5
        ? mean[0]![this.thread.z]![this.thread.y]!
        : squares[0]![this.thread.z]![this.thread.y]!;
  },
  2,
  ['Number'],
);

/** Moments [..., 3] of the rows of x [..., c]. Scratch: mean and sum of squared distances of every row. */
export function layerMoments(x: Tensor, { into, scratch }: ScratchOptions): Tensor {
  const op = 'layerMoments';
  const axis = lastAxis(op, x);
  const rows = x.shape.slice(0, -1);
  const length = x.shape[axis] as number;
  expectShape(op, 'a result', into, [...rows, MOMENTS]);
  const [mean, squares] = scratchOf(op, scratch, 2, rows) as [StorageView, StorageView];
  const { device } = into;
  dispatchLines(device, lineCentre, mean, x.view, axis, [], [length]);
  dispatchLines(device, lineSquares, squares, x.view, axis, [mean], [length]);
  const target = into.view;
  const moments = axesOf(target.layout, axis, axis + 1);
  const lines = [withoutAxis(target.layout, axis), mean.layout, squares.layout];
  forEachFolded(lines, 2, ([out, ...parts]) => {
    const [means, sums] = parts as [Layout, Layout];
    device.dispatch(
      gather,
      { storage: target.storage, layout: append(out as Layout, moments) },
      [
        { storage: mean.storage, layout: means },
        { storage: squares.storage, layout: sums },
      ],
      [length],
    );
  });
  return into;
}

/** Rows of x [..., c] shifted and scaled by their moments [..., 3], then weight [c] and bias [c]. Scratch: 1/deviation of rows. */
export function layerNormalise(
  x: Tensor,
  moments: Tensor,
  weight: Tensor,
  bias: Tensor,
  { into, scratch, epsilon = 1e-5 }: ScratchOptions & { readonly epsilon?: number },
): Tensor {
  const op = 'layerNormalise';
  const axis = lastAxis(op, x);
  const rows = x.shape.slice(0, -1);
  const length = x.shape[axis] as number;
  expectShape(op, 'moments', moments, [...rows, MOMENTS]);
  for (const parameter of [weight, bias]) expectShape(op, 'a parameter', parameter, [length]);
  expectShape(op, 'a result', into, x.shape);
  const [scale] = scratchOf(op, scratch, 1, rows) as [StorageView];
  dispatchLines(into.device, scaleOfMoments, scale, moments.view, axis, [], [epsilon]);
  const along = ({ storage, layout }: StorageView): StorageView => ({
    storage,
    layout: repeatAlong(layout, axis, length),
  });
  const { storage, layout } = moments.slice(axis, 1, 2).view;
  applyLayerNorm(x, along({ storage, layout: withoutAxis(layout, axis) }), along(scale), weight, bias, into);
  return into;
}

function lastAxis(op: string, x: Tensor): number {
  const axis = x.shape.length - 1;
  expect(axis >= 0, op, () => 'expected at least one axis, got a scalar');
  expectElements(op, x, axis);
  return axis;
}
