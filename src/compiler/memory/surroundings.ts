import type { Bindings } from '../../ir/dims.ts';
import { endOf, fullestIteration, rangeOf } from '../../ir/loop.ts';
import type { LoopNode, LoopResult, LoopSlice, ValueId } from '../../ir/node.ts';
import type { View } from '../../ir/program.ts';

/** What is around the nodes of a block. */
export interface Surroundings {
  readonly fresh: (wish: string) => string;
  /** Whether loops are sketches of one full iteration, lowered for measuring only. */
  readonly sketched: boolean;
  /** Values of the names of the loops around: layouts are those of a full chunk. */
  readonly bindings: Bindings;
  /** In a loop body: where results go. */
  readonly results?: {
    readonly loop: LoopNode;
    readonly of: ReadonlyMap<ValueId, readonly LoopResult[]>;
    /** Results that are copied from chunks: their kernels read what they overwrite. */
    readonly indirect: ReadonlySet<LoopResult>;
  };
}

/** What is around the nodes of a loop's body. */
export const bodySurroundings = (
  loop: LoopNode,
  around: Surroundings,
  indirect: ReadonlySet<LoopResult>,
): Surroundings => ({
  fresh: around.fresh,
  sketched: around.sketched,
  bindings: fullestIteration(loop, around.bindings),
  results: { loop, of: resultsByValue(loop), indirect },
});

function resultsByValue(loop: LoopNode): Map<ValueId, LoopResult[]> {
  const of = new Map<ValueId, LoopResult[]>();
  for (const result of loop.results) of.set(result.value, [...(of.get(result.value) ?? []), result]);
  return of;
}

/** The part of a slice's operand, or of a result, that an iteration sees. */
export const chunkOf = (loop: LoopNode, cut: LoopSlice | LoopResult): View => {
  const range = rangeOf(loop, cut);
  return { kind: 'slice', axis: cut.axis, start: range.start, stop: endOf(range) };
};
