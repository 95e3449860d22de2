import type { Bindings } from './dims.ts';
import type { LoopKind } from './loop.ts';
import type { Graph, SourceLocation, ValueId } from './node.ts';
import type { Backend } from './ops/op.ts';
import type { Program } from './program.ts';

/** Bytes, a share (0 < share ≤ 1) of the unchunked peak, or the smallest peak the search can reach. */
export type Budget =
  | { readonly kind: 'bytes'; readonly bytes: number }
  | { readonly kind: 'share'; readonly share: number }
  | { readonly kind: 'min' };

/** Live activation bytes right after one step of a program. */
export interface TimelinePoint {
  /** The op or loop that was running, e.g. `layers.0.attention/scores`. */
  readonly label: string;
  readonly value: ValueId;
  /** Loop ids around the step, outermost first. */
  readonly loops: readonly string[];
  readonly liveBytes: number;
}

/** What the memory model says about one program. All figures in bytes; parameters are never part of a peak. */
export interface Estimate {
  readonly peakBytes: number;
  readonly parameterBytes: number;
  readonly timeline: readonly TimelinePoint[];
  /** Index into `timeline`. */
  readonly peakIndex: number;
  /** Storages alive at the peak, largest first. */
  readonly liveAtPeak: readonly {
    readonly value: ValueId;
    readonly bytes: number;
    readonly at?: SourceLocation;
  }[];
  /** The largest single storage. */
  readonly largestStorageBytes: number;
}

/** L = L_macro + L_micro of the paper, each term after its weight. Dimensionless; comparable within one model. */
export interface CostTerms {
  readonly nodes: number;
  readonly flops: number;
  readonly density: number;
  readonly stride: number;
  readonly total: number;
}

export interface LoopReport {
  /** `loop1`, `loop2`, … in execution order. */
  readonly id: string;
  /** Scope path, e.g. `layers.0.attn`. */
  readonly path: string;
  /** Dimension name, e.g. `N`. */
  readonly over: string;
  /** Axis of the loop's first result that is cut; null where all it does is add up. */
  readonly axisOf: number | null;
  readonly extent: number;
  readonly chunkSize: number;
  readonly chunks: number;
  /** 0 for outermost loops. */
  readonly depth: number;
  readonly kind: LoopKind;
  /** Peak of the region without this loop minus peak of the region with it. */
  readonly savesBytes: number;
  /** The value whose full-size storage the loop avoids and that weighs most. */
  readonly savesAt: ValueId;
  readonly cost: CostTerms;
}

/** Where the storages of a program lie in one block of memory. */
export interface ArenaLayout {
  /** Bytes of the block, donated inputs included: they lie at its start, one after another. */
  readonly bytes: number;
  /** Of every storage that the program allocates. */
  readonly offsets: ReadonlyMap<ValueId, number>;
}

/**
 * Whether results are those without loops, bit for bit: no loop adds up in parts, and no layer normalisation is taken apart,
 * which devices may compute in another order when it is whole.
 */
export const isExact = ({ loops, graph }: Pick<Plan, 'loops' | 'graph'>): boolean =>
  loops.every(({ kind }) => kind === 'concat') && !computesMoments(graph);

const computesMoments = ({ nodes }: Graph): boolean =>
  nodes.some((node) => (node.kind === 'loop' ? computesMoments(node.body) : node.op === 'layerMoments'));

/** The result of compiling one model for one set of dimensions and one budget. */
export interface Plan {
  readonly model: string;
  readonly dims: Bindings;
  readonly backend: Backend;
  readonly budget: Budget;
  /** The budget in bytes (`min`: the planned peak). */
  readonly budgetBytes: number;
  /** The most predicted slowdown that was allowed; absent where time did not matter. */
  readonly maxSlowdown?: number;
  /** Largest single storage that was allowed, in bytes; absent where none was too large. */
  readonly capBytes?: number;
  /** The specialised graph, with loops. */
  readonly graph: Graph;
  readonly program: Program;
  readonly unchunkedProgram: Program;
  readonly unchunked: Estimate;
  readonly planned: Estimate;
  readonly loops: readonly LoopReport[];
  /** On backends with an arena (webasm). */
  readonly arena?: ArenaLayout;
  /** Predicted seconds of one run. */
  readonly predictedSeconds: number;
  /** Predicted time of the plan over the time of the unchunked program, minus 1. */
  readonly predictedSlowdown: number;
  readonly cost: CostTerms;
  /** Milliseconds per pass. */
  readonly passes: readonly { readonly name: string; readonly ms: number }[];
}
