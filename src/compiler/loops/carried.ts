import type { Shape } from '../../ir/dims.ts';
import type { Cut } from '../../ir/flow.ts';
import type { Attrs, DType, LoopCarry, OpNode, ValueId } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { AccessPattern, AxisTerm } from '../../ir/pattern.ts';
import { type GraphIndex, setPattern } from '../graph/graph-index.ts';
import type { Cuts } from './stream.ts';

/** What a node whose reduction is split becomes. */
export interface Carried {
  /** Runs in every iteration. */
  readonly nodes: readonly OpNode[];
  readonly carries: readonly LoopCarry[];
  /** Runs after the loop. */
  readonly finish: readonly OpNode[];
}

/** The loop that a node is carried through. */
export interface CarryContext {
  readonly index: GraphIndex;
  readonly cuts: Cuts;
  /** The name of an operand, or of the part of it that an iteration reads, in the body. */
  readonly read: (id: ValueId, cut: Cut | undefined) => ValueId;
}

type Operand = readonly [id: ValueId, terms: readonly AxisTerm[]];
export type Make = (
  op: string,
  id: ValueId,
  operands: readonly Operand[],
  shape: Shape,
  output: readonly AxisTerm[],
  attrs?: Attrs,
  dtype?: DType,
) => OpNode;

/** Makes nodes on the way to `node`; their patterns use the labels of its pattern. */
export const maker =
  (node: OpNode, pattern: AccessPattern | undefined): Make =>
  (op, id, operands, shape, output, attrs = {}, dtype = 'f32') => {
    const { scope, at } = node;
    const made: OpNode = {
      kind: 'op',
      id,
      op,
      operands: operands.map(([id]) => id),
      attrs: { ...opDef(op).defaults, ...attrs },
      shape,
      dtype,
      scope,
      ...(at ? { at } : {}),
    };
    setPattern(made, pattern && { ...pattern, operands: operands.map(([, terms]) => terms), output });
    return made;
  };

/** A shape with extent 1 where it is cut. */
export const withOne = (shape: Shape, { axis }: Cut): Shape => shape.map((dim, i) => (i === axis ? 1 : dim));
