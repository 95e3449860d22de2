import { sliceLayout } from '../../layout/layout.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { dispatchFolded } from './fold.ts';
import { expect, expectShape, type KernelOptions, printShape } from './options.ts';

/** a · gelu(b), with the polynomials of `gelu`. */
const gate = defineKernel(function geglu(this: KernelThis, a: KernelArray, b: KernelArray): number {
  const value = b[this.thread.z]![this.thread.y]![this.thread.x]!;
  const x = Math.max(-4, Math.min(4, value * Math.SQRT1_2));
  const u = x * x;
  const p3 = 0.003882404518 + u * (0.0002845220693 + u * 0.00000198663955);
  const p = 1.12837914 + u * (0.1935264691 + u * (0.05309879867 + u * p3));
  const q3 = 0.0152053972 + u * (0.001185300122 + u * 0.000037416367);
  const q = 1 + u * (0.5048409297 + u * (0.1153418724 + u * q3));
  const erf = Math.max(-1, Math.min(1, (x * p) / q));
  const tail = x <= -4 ? 0 : x >= 4 ? 2 : 1 + erf;
  return a[this.thread.z]![this.thread.y]![this.thread.x]! * (0.5 * value * tail);
}, 2);

/** The first half of the last axis times the exact gelu of the second half. */
export function geglu(x: Tensor, { into }: KernelOptions): Tensor {
  const last = x.shape.length - 1;
  const half = (x.shape[last] ?? 1) / 2;
  expect(
    Number.isInteger(half),
    'geglu',
    () => `expected a last axis of even extent, got ${printShape(x.shape)}`,
  );
  expectShape('geglu', 'a result', into, x.shape.with(last, half));
  const { storage, layout } = x.view;
  dispatchFolded(into.device, gate, into.view, [
    { storage, layout: sliceLayout(layout, last, 0, half) },
    { storage, layout: sliceLayout(layout, last, half, 2 * half) },
  ]);
  return into;
}
