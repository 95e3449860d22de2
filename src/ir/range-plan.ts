import type { Bindings, Dim } from './dims.ts';
import type { Graph } from './node.ts';
import type { Backend } from './ops/op.ts';
import type { Budget, CostTerms, Estimate, LoopReport } from './plan.ts';
import type { Program } from './program.ts';

/** Values that a named dimension may take, both ends included. */
export interface DimRange {
  readonly from: number;
  readonly to: number;
}

/** Room for a chunk: `fixed + each · chunk` bytes must not be more than the limit. */
export interface Room {
  /** What the bytes are held against: all that is alive, or one storage. */
  readonly limit: 'budget' | 'cap';
  readonly fixed: Dim;
  readonly each: Dim;
}

/** How the chunk size of loops follows from the size of the range's dimension. */
export interface ChunkRule {
  /** The name of the chunk size in the program: `chunk1`. */
  readonly name: string;
  readonly extent: Dim;
  /**
   * The largest chunk that fits all of them, at most the extent, is taken. In the range's dimension and in names of rules
   * before this one; none where any chunk fits.
   */
  readonly rooms: readonly Room[];
  /** Ids of the loops that use it. */
  readonly loops: readonly string[];
}

/** Peaks at one size. */
export interface RangeEnd {
  readonly size: number;
  readonly unchunkedPeakBytes: number;
  readonly plannedPeakBytes: number;
}

/** The result of compiling one model for a range of one named dimension: a program valid for every size in it. */
export interface RangePlan {
  readonly model: string;
  /** The dimension that has a range. */
  readonly over: string;
  readonly range: DimRange;
  /** Values of the other named dimensions. */
  readonly dims: Bindings;
  readonly backend: Backend;
  readonly budget: Budget;
  /** The budget in bytes: a share is one of the unchunked peak at the upper end, `min` the smallest peak there. */
  readonly budgetBytes: number;
  readonly capBytes: number | undefined;
  /** With loops, in the dimension and the names of the chunk sizes. */
  readonly graph: Graph;
  readonly program: Program;
  /** Chunk sizes, each in names of those before it. */
  readonly rules: readonly ChunkRule[];
  /** The dimension and the chunk sizes at the upper end, by name. */
  readonly sizes: Bindings;
  /** The peak in bytes is the largest of these, in the dimension and the names of the chunk sizes. */
  readonly peaks: readonly Dim[];
  /** Peaks at both ends of the range. */
  readonly ends: readonly [RangeEnd, RangeEnd];
  /** What follows holds at the upper end. */
  readonly unchunked: Estimate;
  readonly planned: Estimate;
  readonly loops: readonly LoopReport[];
  readonly predictedSeconds: number;
  readonly predictedSlowdown: number;
  readonly cost: CostTerms;
  /** Milliseconds per pass. */
  readonly passes: readonly { readonly name: string; readonly ms: number }[];
}
