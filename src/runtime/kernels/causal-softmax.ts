import type { Layout } from '../../layout/layout.ts';
import type { StorageView } from '../device.ts';
import type { Tensor } from '../tensor.ts';
import { append, axesOf, forEachFolded } from './fold.ts';
import { causalMask } from './mask.ts';
import {
  expect,
  expectElements,
  expectShape,
  printShape,
  type ScratchOptions,
  scratchOf,
} from './options.ts';
import { softmax } from './softmax.ts';

const NAME = 'causalSoftmax';

/**
 * Softmax along the last axis where column `columnStart + j` does not lie after row `rowStart + i`, 0 elsewhere: the bits of
 * {@link causalMask} and {@link softmax} one after the other. A row that sees no column weighs all alike. Scratch: the maximum and
 * the sum of every line.
 */
export function causalSoftmax(
  x: Tensor,
  {
    into,
    scratch,
    rowStart = 0,
    columnStart = 0,
  }: ScratchOptions & { readonly rowStart?: number; readonly columnStart?: number },
): Tensor {
  const lead = x.shape.length - 2;
  expect(lead >= 0, NAME, () => `expected scores [..., rows, columns], got ${printShape(x.shape)}`);
  expectElements(NAME, x, lead + 1);
  expectShape(NAME, 'a result', into, x.shape);
  scratchOf(NAME, scratch, 2, x.shape.slice(0, -1));
  const tuned = into.device.tuned?.softmax;
  if (!tuned) {
    causalMask(x, { into, rowStart, columnStart });
    return softmax(into, { into, scratch, axis: lead + 1 });
  }
  const views = [into.view, x.view];
  const planes = views.map(({ layout }) => axesOf(layout, 0, lead));
  forEachFolded(planes, 1, (folded) => {
    const [out, rows] = views.map(({ storage, layout }, i) => ({
      storage,
      layout: append(folded[i] as Layout, axesOf(layout, lead, lead + 2)),
    })) as [StorageView, StorageView];
    tuned({ out, x: rows, seen: rowStart - columnStart + 1 });
  });
  return into;
}
