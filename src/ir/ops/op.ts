import type { Layout } from '../../layout/layout.ts';
import type { Shape } from '../dims.ts';
import type { Attrs, TensorType } from '../node.ts';
import type { AccessPattern, Window } from '../pattern.ts';

/** A tensor in float64, row-major: what reference implementations read and write. */
export interface RefTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export type Backend = 'webgpu' | 'webasm' | 'cpu';

/** How an op over some of the elements that it contracts counts towards the op over all of them. */
export interface Split {
  /** Puts the parts together; associative and commutative, up to rounding. */
  readonly combine: 'add' | 'maximum' | 'minimum' | 'mergeMoments';
  /** What parts are added to at first: no result of any part. */
  readonly init: number;
  /** What makes a part, where it is not the op itself: of the first operands. */
  readonly part?: { readonly op: string; readonly attrs: Attrs; readonly operands: number };
  /** What turns the parts together into the result: an op of them and more operands. */
  readonly finish?: { readonly op: string; readonly attrs: Attrs; readonly operands: readonly number[] };
}

/**
 * The one description of an op. Shapes may be symbolic in `infer` and `access`; they are numbers in `flops`, `layout`
 * and `reference`. From these five facts come tracing, chunking, the memory model, code generation and the tests.
 */
export interface OpDef {
  readonly name: string;
  /** One line for docs and for the header of generated modules. */
  readonly summary: string;
  /** An element of the result is made of one element of each operand, after broadcasting: may be a part of a fused op. */
  readonly pointwise?: boolean;
  /** Attribute values that generated code omits. */
  readonly defaults?: Attrs;
  /** Result type. Throws {@link ShapeError} when the operands do not fit; the message starts with the op's name. */
  infer(operands: readonly TensorType[], attrs: Attrs): TensorType;
  /** How output elements depend on operand elements; absent or undefined: a barrier, never cut. */
  access?(operands: readonly TensorType[], attrs: Attrs, out: TensorType): AccessPattern | undefined;
  /** How the op is computed in parts of a label that its pattern contracts; absent or undefined: not at all. */
  split?(operands: readonly TensorType[], attrs: Attrs, label: string): Split | undefined;
  /** Attributes for the same op computing only part of its output, now of shape `shape` (ops whose attributes hold extents). */
  resize?(attrs: Attrs, shape: Shape): Attrs;
  /** Attributes for the same op over a part of an axis that its window slides along, padded as given. */
  pad?(attrs: Attrs, axis: number, padding: Window['padding']): Attrs;
  /** Floating-point operations for the whole output (multiply-add = 2). */
  flops(operands: readonly TensorType[], attrs: Attrs, out: TensorType): number;
  /**
   * Only for ops that can be free: the layout of the result over the operand's storage, or `undefined` when this
   * operand layout needs a copy.
   */
  layout?(operand: Layout, attrs: Attrs, shape: readonly number[]): Layout | undefined;
  /**
   * Operands that the kernel may write its result over, where they have its type: it reads an element of them for the last
   * time before it writes that element of the result. Absent: none.
   */
  readonly inPlace?: readonly number[];
  /** Shapes of the temporary storages the kernel needs while it runs. */
  scratch?(operands: readonly TensorType[], attrs: Attrs, out: TensorType): readonly Shape[];
  /** For kernels that are bound by other things than their pattern tells (the time model has rates for them). */
  readonly kernelClass?: 'convolution';
  /** The op in float64. */
  reference(operands: readonly RefTensor[], attrs: Attrs, shape: readonly number[]): Float64Array;
}

/** Operands that do not fit an op. The tracer adds the author's call site. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

/** Fails with `op: what was expected, what was got`. */
export function check(condition: unknown, op: string, message: () => string): asserts condition {
  if (!condition) throw new ShapeError(`${op}: ${message()}`);
}
