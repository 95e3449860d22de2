import type { Layout } from '../../layout/layout.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import { LOWEST_F32 } from '../lowest.ts';
import type { Tensor } from '../tensor.ts';
import { append, axesOf, forEachFolded } from './fold.ts';
import { expect, expectShape, type KernelOptions, printShape } from './options.ts';

const mask = defineKernel(
  function causalMask(this: KernelThis, a: KernelArray, diagonal: number, lowest: number): number {
    return this.thread.x <= this.thread.y + diagonal
      ? a[this.thread.z]![this.thread.y]![this.thread.x]!
      : lowest;
  },
  1,
  ['Integer', 'Number'],
);

/** The lowest finite number where column `columnStart + j` lies after row `rowStart + i`, elsewhere x. */
export function causalMask(
  x: Tensor,
  {
    into,
    rowStart = 0,
    columnStart = 0,
  }: KernelOptions & { readonly rowStart?: number; readonly columnStart?: number },
): Tensor {
  const lead = x.shape.length - 2;
  expect(lead >= 0, 'causalMask', () => `expected scores [..., rows, columns], got ${printShape(x.shape)}`);
  expectShape('causalMask', 'a result', into, x.shape);
  const views = [into.view, x.view];
  const matrices = views.map(({ layout }) => axesOf(layout, lead, lead + 2));
  forEachFolded(
    views.map(({ layout }) => axesOf(layout, 0, lead)),
    1,
    (batches) => {
      const [out, source] = views.map(({ storage }, i) => ({
        storage,
        layout: append(batches[i] as Layout, matrices[i] as Layout),
      })) as [Tensor['view'], Tensor['view']];
      into.device.dispatch(mask, out, [source], [rowStart - columnStart, LOWEST_F32]);
    },
  );
  return into;
}
