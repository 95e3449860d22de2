import type { Graph } from '../ir/node.ts';
import type { DimRange } from '../ir/range-plan.ts';
import type { Device } from '../runtime/index.ts';
import type { RangeSubject } from '../testing/compare-range.ts';
import { randomSource } from '../testing/random.ts';
import { withBudget } from './budget.ts';
import type { GivenDims } from './dims.ts';
import type { Io } from './io.ts';
import type { Case, Checker } from './verify-case.ts';

/** One case in this many has the smallest size, and one the largest. */
const ENDS_EVERY = 8;

/** Cases of one module for a range: each runs it at a size drawn from the range. */
export class RangeChecker implements Checker {
  private readonly subject: RangeSubject;

  private constructor(subject: RangeSubject) {
    this.subject = subject;
  }

  /** Compiles the module that the cases share. */
  static async compile(
    graph: Graph,
    device: Device,
    dims: GivenDims,
    budget: string | undefined,
    io: Io,
  ): Promise<RangeChecker> {
    // On demand, with the TypeScript compiler that it loads generated modules with.
    const { RangeSubject } = await import('../testing/compare-range.ts');
    const subject = await withBudget(budget, io, (bytes) =>
      RangeSubject.compile(graph, { dims, budget: bytes }, device),
    );
    return new RangeChecker(subject);
  }

  async check(seed: number): Promise<{ result: Case; failures: readonly string[] }> {
    const { plan } = this.subject.compilation;
    const size = drawSize(plan.range, seed);
    const found = await this.subject.check(size, seed);
    const result: Case = {
      seed,
      dims: { ...plan.dims, [plan.over]: size },
      budgetBytes: plan.budgetBytes,
      unchunkedPeakBytes: found.unchunkedPeakBytes,
      plannedPeakBytes: found.plannedPeakBytes,
      loops: plan.loops.length,
    };
    return { result, failures: found.failures };
  }
}

function drawSize({ from, to }: DimRange, seed: number): number {
  if (seed % ENDS_EVERY === 0) return from;
  if (seed % ENDS_EVERY === 1) return to;
  return from + Math.floor(randomSource(seed)() * (to - from + 1));
}
