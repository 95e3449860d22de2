import { type Bindings, evalDim } from './dims.ts';
import type { LoopNode } from './node.ts';

/** What a loop runs over, in numbers. */
export interface LoopSizes {
  readonly extent: number;
  readonly chunkSize: number;
  /** Iterations. */
  readonly chunks: number;
}

/** The sizes of a loop; `bindings` give the names that its extent and chunk size depend on. */
export function loopSizes(loop: Pick<LoopNode, 'extent' | 'chunkSize'>, bindings: Bindings = {}): LoopSizes {
  const extent = evalDim(loop.extent, bindings);
  const chunkSize = evalDim(loop.chunkSize, bindings);
  return { extent, chunkSize, chunks: Math.ceil(extent / chunkSize) };
}

/** Values of the names that a loop's body sees in the first iteration, a full chunk, on top of those around the loop. */
export const firstIteration = (loop: LoopNode, bindings: Bindings = {}): Bindings => ({
  ...bindings,
  [loop.start]: 0,
  [loop.length]: loopSizes(loop, bindings).chunkSize,
});
