import { describe, expect, it } from 'vitest';
import { parseBudget } from '../../src/compiler/budget.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { registerOp } from '../../src/ir/ops/index.ts';
import { pattern } from '../../src/ir/pattern.ts';
import type { Program, Step } from '../../src/ir/program.ts';
import { GraphBuilder } from '../support/graphs.ts';

registerOp({
  name: 'testSorted',
  summary: 'keeps a second copy of its operand while it runs',
  infer: ([x]) => ({ shape: x?.shape ?? [], dtype: 'f32' }),
  access: ([x], _attrs, out) => pattern('r c d! -> r c d', [x?.shape ?? []], out.shape),
  scratch: ([x]) => [x?.shape ?? []],
  flops: () => 0,
  reference: ([x]) => x?.data ?? new Float64Array(),
});

const scratchOf = (steps: readonly Step[]): number =>
  steps.reduce(
    (sum, step) =>
      sum +
      (step.kind === 'loop'
        ? scratchOf(step.steps)
        : step.kind === 'alloc' && step.role === 'scratch'
          ? 1
          : 0),
    0,
  );

describe('scratch of the shape of an operand', () => {
  it.each([
    ['of a slice', false],
    ['of a value of the body', true],
  ])('is counted %s, in loops and in loops inside loops', (_, computed) => {
    const b = new GraphBuilder('sorted');
    const x = b.input('x', ['N', 1, 1]);
    const wide = b.op('wide', 'add', [x, b.param('w', [6, 10])]);
    const from = computed ? b.op('from', 'exp', [wide]) : wide;
    const sorted = b.op('sorted', 'testSorted', [from]);
    const rows = b.op('rows', 'sum', [sorted], { axis: 2, keepdims: false });
    const graph = b.build({ y: b.op('y', 'sum', [rows], { axis: 1, keepdims: false }) });
    const peak = (budget: string): { bytes: number; program: Program } => {
      const { planned, program } = plan(graph, {
        dims: { N: 12 },
        budget: parseBudget(budget),
        backend: 'cpu',
      });
      return { bytes: planned.peakBytes, program };
    };
    const least = peak('min');
    expect(scratchOf(least.program.steps)).toBeGreaterThan(0);
    for (const share of ['25%', '50%', '75%']) {
      expect(peak(share).bytes).toBeGreaterThanOrEqual(least.bytes);
    }
  });
});
