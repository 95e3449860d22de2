import type { Dim, Shape } from '../ir/dims.ts';
import type { DType, ValueId } from '../ir/node.ts';

/**
 * A tensor of a model being written: its shape and element type; there are no numbers in it. Operations on tensors
 * record the model's graph.
 */
export interface Tensor<out S extends Shape = Shape> {
  readonly shape: S;
  readonly dtype: DType;
}

/** What element-wise operations take: a tensor, or a JavaScript number. */
export type Operand = Tensor | number;
/** The shape of an operand; numbers are scalars. */
export type ShapeOf<T> = T extends Tensor<infer S> ? S : [];

/** The tensor behind {@link Tensor} while a model is traced. */
export class SymbolicTensor implements Tensor {
  readonly id: ValueId;
  readonly shape: readonly Dim[];
  readonly dtype: DType;
  /** The recorder that made it: tensors of one trace mean nothing to another. */
  readonly owner: object;

  constructor(owner: object, id: ValueId, shape: Shape, dtype: DType) {
    this.owner = owner;
    this.id = id;
    this.shape = shape;
    this.dtype = dtype;
  }
}
