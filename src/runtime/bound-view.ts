import type { View3 } from './view3.ts';

/** What an executor gets for an array: the backend's handle and the view over it. */
export interface BoundView<Handle> extends View3 {
  readonly handle: Handle;
}

/** Has a view no elements? */
export const isEmpty = ({ extents: [z, y, x] }: View3): boolean => z === 0 || y === 0 || x === 0;
