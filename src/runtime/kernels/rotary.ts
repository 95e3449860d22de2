import { type Layout, sliceLayout } from '../../layout/layout.ts';
import type { StorageView } from '../device.ts';
import { defineKernel, type Kernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { dispatchFolded, expanded } from './fold.ts';
import { expect, expectShape, type KernelOptions, printShape } from './options.ts';

const rotateFirst = defineKernel(function rotaryFirst(
  this: KernelThis,
  a: KernelArray,
  b: KernelArray,
  cos: KernelArray,
  sin: KernelArray,
): number {
  return (
    a[this.thread.z]![this.thread.y]![this.thread.x]! * cos[this.thread.z]![this.thread.y]![this.thread.x]! -
    b[this.thread.z]![this.thread.y]![this.thread.x]! * sin[this.thread.z]![this.thread.y]![this.thread.x]!
  );
}, 4);

const rotateSecond = defineKernel(function rotarySecond(
  this: KernelThis,
  a: KernelArray,
  b: KernelArray,
  cos: KernelArray,
  sin: KernelArray,
): number {
  return (
    b[this.thread.z]![this.thread.y]![this.thread.x]! * cos[this.thread.z]![this.thread.y]![this.thread.x]! +
    a[this.thread.z]![this.thread.y]![this.thread.x]! * sin[this.thread.z]![this.thread.y]![this.thread.x]!
  );
}, 4);

/**
 * Pairs of channels of x[..., positions, channels] rotated by the angles whose cosines and sines are
 * [positions, channels / 2]. A pair is channel i with i + channels/2, or with i + 1 when `interleaved`.
 */
export function rotary(
  x: Tensor,
  cos: Tensor,
  sin: Tensor,
  { into, interleaved = false }: KernelOptions & { readonly interleaved?: boolean },
): Tensor {
  const [positions, channels] = x.shape.slice(-2) as [number, number];
  expect(
    x.shape.length >= 2 && channels % 2 === 0,
    'rotary',
    () => `expected [..., positions, channels] with an even number of channels, got ${printShape(x.shape)}`,
  );
  const half = channels / 2;
  for (const table of [cos, sin]) expectShape('rotary', 'cos and sin', table, [positions, half]);
  expectShape('rotary', 'a result', into, x.shape);
  // Both members of the pairs as views: nothing is gathered and no thread branches.
  const [out, source] = [into.view, x.view];
  const sources = [0, 1].map((member) => pairs(source, member, half, interleaved));
  const shape = [...x.shape.slice(0, -1), half];
  const tables = [cos, sin].map((table) => {
    const { storage, layout } = table.view;
    return { storage, layout: expanded(layout, shape) };
  });
  const rotate = (kernel: Kernel, member: number): void =>
    dispatchFolded(into.device, kernel, pairs(out, member, half, interleaved), [...sources, ...tables]);
  rotate(rotateFirst, 0);
  rotate(rotateSecond, 1);
  return into;
}

/** One member of every pair. */
function pairs(view: StorageView, member: number, half: number, interleaved: boolean): StorageView {
  const { storage, layout } = view;
  const last = layout.shape.length - 1;
  if (!interleaved) {
    return { storage, layout: sliceLayout(layout, last, member * half, (member + 1) * half) };
  }
  const stride = layout.strides[last] as number;
  const every: Layout = {
    shape: layout.shape.with(last, half),
    strides: layout.strides.with(last, 2 * stride),
    offset: layout.offset + member * stride,
  };
  return { storage, layout: every };
}
