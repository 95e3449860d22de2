import type { TensorType, ValueId } from '../../ir/node.ts';
import type { Layout } from '../../layout/layout.ts';

/** Where a value lives: the storage (named by its `alloc`, input or parameter) and how to see the value in it. */
export interface Place {
  readonly storage: ValueId;
  readonly layout: Layout;
  readonly type: TensorType;
  /** How steps name it, where that is not its own name: a value that a loop carries is the storage it is carried in. */
  readonly name?: ValueId;
}
export type Places = ReadonlyMap<ValueId, Place>;
