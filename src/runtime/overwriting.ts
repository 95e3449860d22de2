import { UserError } from '../errors.ts';
import type { StorageView } from './device.ts';
import { readsOwnElement } from './gpujs/own-element.ts';
import type { Kernel } from './kernel.ts';
import { sameView, toView3 } from './view3.ts';

/** @throws UserError where a kernel would write over an array before all threads have read it */
export function checkOverwriting(kernel: Kernel, out: StorageView, arrays: readonly StorageView[]): void {
  for (let i = 0; i < arrays.length; i++) {
    const array = arrays[i] as StorageView;
    if (array.storage === out.storage && !isOverwritten(kernel, i, array, out)) overwrites(kernel.name);
  }
}

/** Is an array of the result's storage the very view that is written, of which every thread reads its own element alone? */
const isOverwritten = (kernel: Kernel, i: number, array: StorageView, out: StorageView): boolean =>
  sameView(toView3(array.layout), toView3(out.layout)) && readsOwnElement(kernel)[i] === true;

/** @throws UserError where an operand lies in the storage of the result */
export function noOverwriting(kernel: string, out: StorageView, arrays: readonly StorageView[]): void {
  for (const array of arrays) if (array.storage === out.storage) overwrites(kernel);
}

function overwrites(kernel: string): never {
  throw new UserError(
    `${kernel}: the result would overwrite the storage of an operand while it is being read. ` +
      'Give another tensor as `into`.',
  );
}

/** Do two views of one rank show the same places? */
export const isSameView = (a: StorageView, b: StorageView): boolean =>
  sameView(toView3(a.layout), toView3(b.layout));
