import type { Dim, Shape } from './dims.ts';
import type { DType, GraphInput, GraphOutput, GraphParam, LoopNode, OpNode, ValueId } from './node.ts';

/**
 * A lowered graph: what is allocated, computed and freed, in order. The estimator sums these steps, the generated
 * module performs them, the runtime counts them — there is no other description of memory.
 *
 * Dimensions inside a loop may depend on the loop's `start` and `length` names.
 */
export type Step =
  /** A new contiguous storage; `value` names the whole of it. */
  | {
      readonly kind: 'alloc';
      readonly value: ValueId;
      readonly shape: Shape;
      readonly dtype: DType;
      readonly role: 'value' | 'output' | 'scratch';
    }
  /** `value` is another way to see `of`; costs nothing. */
  | {
      readonly kind: 'view';
      readonly value: ValueId;
      readonly of: ValueId;
      readonly view: View;
      readonly node?: OpNode;
    }
  /** Runs the kernel of `node`, writing the whole of `into` (an allocation, or a view of one). */
  | {
      readonly kind: 'call';
      readonly node: OpNode;
      readonly operands: readonly ValueId[];
      readonly into: ValueId;
      readonly scratch: readonly ValueId[];
    }
  /** The storage behind `value` (always an `alloc`) is dead from here. */
  | { readonly kind: 'free'; readonly value: ValueId }
  | { readonly kind: 'loop'; readonly loop: LoopNode; readonly steps: readonly Step[] };

export type View =
  /** The very same: what a call writes in place of an operand. */
  | { readonly kind: 'same' }
  | { readonly kind: 'slice'; readonly axis: number; readonly start: Dim; readonly stop: Dim }
  | { readonly kind: 'permute'; readonly axes: readonly number[] }
  | { readonly kind: 'reshape'; readonly shape: Shape }
  | { readonly kind: 'expand'; readonly shape: Shape };

/** Inputs are alive from the first step to the last, donated ones until they are freed; outputs from their `alloc` to the end; parameters apart. */
export interface Program {
  readonly name: string;
  readonly inputs: readonly GraphInput[];
  readonly params: readonly GraphParam[];
  readonly steps: readonly Step[];
  readonly outputs: readonly GraphOutput[];
}
