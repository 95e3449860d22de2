import type { Layout } from '../../layout/layout.ts';
import { defineKernel, type KernelArray, type KernelThis } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';
import { append, axesOf, forEachFolded } from './fold.ts';
import { expect, expectShape, type KernelOptions, printShape } from './options.ts';

const lookup = defineKernel(function embedding(
  this: KernelThis,
  table: KernelArray,
  ids: KernelArray,
): number {
  return table[0]![Math.floor(ids[this.thread.z]![this.thread.y]![0]!)]![this.thread.x]!;
}, 2);

/** The row of `table` for every id; ids must lie within the table. */
export function embedding(table: Tensor, ids: Tensor, { into }: KernelOptions): Tensor {
  expect(
    table.shape.length === 2,
    'embedding',
    () => `expected a table [ids, width], got ${printShape(table.shape)}`,
  );
  expectShape('embedding', 'a result', into, [...ids.shape, table.shape[1] as number]);
  const [out, index] = [into.view, ids.view];
  const rank = ids.shape.length;
  const one: Layout = { shape: [1], strides: [0], offset: 0 };
  forEachFolded([axesOf(out.layout, 0, rank), index.layout], 2, ([rows, positions]) => {
    into.device.dispatch(
      lookup,
      { storage: out.storage, layout: append(rows as Layout, axesOf(out.layout, rank, rank + 1)) },
      [table.view, { storage: index.storage, layout: append(positions as Layout, one) }],
      [],
    );
  });
  return into;
}
