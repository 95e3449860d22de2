import { describe, expect, it } from 'vitest';
import { parseBudget } from '../../src/compiler/budget.ts';
import { estimate } from '../../src/compiler/memory/estimate.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { foldMasks } from '../../src/compiler/passes/fold-masks.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import type { Graph } from '../../src/ir/node.ts';
import { printProgram } from '../../src/ir/print.ts';
import type { Program, Step } from '../../src/ir/program.ts';
import { openDevice } from '../../src/runtime/index.ts';
import { comparePlan } from '../../src/testing/compare.ts';
import { testBackends } from '../support/backends.ts';
import { attentionGraph, GraphBuilder, gptGraph, llamaGraph } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';

const ops = (steps: readonly Step[]): string[] =>
  steps.flatMap((step) =>
    step.kind === 'loop' ? ops(step.steps) : step.kind === 'call' ? [step.node.op] : [],
  );

/** Lowered, and then with masks folded; both must do the same in the same memory. */
function both(graph: Graph, inPlace: boolean): { before: Program; after: Program } {
  const before = lower(specialise(graph, { N: 7 }), {}, { inPlace });
  const after = foldMasks(before);
  const data = randomData(before);
  const [apart, folded] = [interpret(before, data), interpret(after, data)];
  expect(folded).toEqual(apart);
  expect(estimate(after).peakBytes).toBe(estimate(before).peakBytes);
  expect(estimate(after).peakBytes).toBe(folded.peakBytes);
  return { before, after };
}

/** Scores of an input, masked; `use` makes the outputs of both. */
function masked(use: (b: GraphBuilder, scores: string, mask: string) => Record<string, string>): Graph {
  const b = new GraphBuilder('masked');
  const x = b.input('x', ['N', 'N']);
  const scores = b.op('scores', 'neg', [x]);
  return b.build(use(b, scores, b.op('masked', 'causalMask', [scores], { rowStart: 1 })));
}

const softmax = (b: GraphBuilder, id: string, x: string, axis = 1): string =>
  b.op(id, 'softmax', [x], { axis });

describe('foldMasks', () => {
  it('leaves out the kernel of a mask that writes in place', () => {
    const { after } = both(attentionGraph(), true);
    expect(printProgram(after)).toMatchInlineSnapshot(`
      "program "attention" {
        input q: f32[2, 7, 4]
        input k: f32[2, 7, 4]
        input v: f32[2, 7, 4]
        view kT = k.permute([0, 2, 1])
        alloc scores: f32[2, 7, 7]
        matmul(q, kT) into scores
        view weights = scores
        alloc weights_scratch: f32[2, 7] as scratch
        alloc weights_scratch_2: f32[2, 7] as scratch
        causalSoftmax(scores) {rowStart: 0, columnStart: 0} into weights scratch weights_scratch, weights_scratch_2
        free weights_scratch
        free weights_scratch_2
        alloc context: f32[2, 7, 4] as output
        matmul(weights, v) into context
        free scores
        output "context" = context
      }
      "
    `);
  });

  it('keeps scores where masked ones would have been stored', () => {
    const { after } = both(attentionGraph(), false);
    expect(printProgram(after)).toMatchInlineSnapshot(`
      "program "attention" {
        input q: f32[2, 7, 4]
        input k: f32[2, 7, 4]
        input v: f32[2, 7, 4]
        view kT = k.permute([0, 2, 1])
        alloc scores: f32[2, 7, 7]
        matmul(q, kT) into scores
        alloc weights: f32[2, 7, 7]
        alloc weights_scratch: f32[2, 7] as scratch
        alloc weights_scratch_2: f32[2, 7] as scratch
        causalSoftmax(scores) {rowStart: 0, columnStart: 0} into weights scratch weights_scratch, weights_scratch_2
        free weights_scratch
        free weights_scratch_2
        free scores
        alloc context: f32[2, 7, 4] as output
        matmul(weights, v) into context
        free weights
        output "context" = context
      }
      "
    `);
  });

  it.each([true, false])('folds the masks of whole models, in place: %s', (inPlace) => {
    const llama = { layers: 2, width: 16, heads: 4, kvHeads: 2, hidden: 20, vocabulary: 16 };
    for (const graph of [gptGraph({ layers: 2, width: 8, heads: 2, vocabulary: 11 }), llamaGraph(llama)]) {
      const { before, after } = both(graph, inPlace);
      expect(ops(before.steps).filter((op) => op === 'causalMask')).toHaveLength(2);
      expect(ops(after.steps)).not.toContain('causalMask');
      expect(ops(after.steps).filter((op) => op === 'causalSoftmax')).toHaveLength(2);
    }
  });

  it('leaves masks alone that are not for softmax along the columns alone', () => {
    const kept: Record<string, Parameters<typeof masked>[0]> = {
      'another axis': (b, _, mask) => ({ y: softmax(b, 'y', mask, 0) }),
      'an output': (b, _, mask) => ({ y: softmax(b, 'y', mask), mask }),
      'read again': (b, _, mask) => ({ y: softmax(b, 'y', mask), z: b.op('z', 'abs', [mask]) }),
      'through a view': (b, _, mask) => ({
        y: softmax(b, 'y', mask),
        z: b.op('z', 'exp', [b.op('turned', 'permute', [mask], { axes: [1, 0] })]),
      }),
      'read by another op in between': (b, scores, mask) => ({
        z: b.op('z', 'add', [b.op('w', 'exp', [scores]), b.op('v', 'abs', [mask])]),
        y: softmax(b, 'y', mask),
      }),
      'not softmax': (b, _, mask) => ({ y: b.op('y', 'exp', [mask]) }),
    };
    for (const [why, use] of Object.entries(kept)) {
      for (const inPlace of [true, false]) {
        expect(ops(both(masked(use), inPlace).after.steps), why).toContain('causalMask');
      }
    }
    // Scores that are needed later are masked in a storage of their own.
    const { after } = both(
      masked((b, scores, mask) => ({ y: softmax(b, 'y', mask), z: b.op('z', 'exp', [scores]) })),
      true,
    );
    expect(ops(after.steps)).toContain('causalMask');
    expect(
      ops(
        both(
          masked((b, _, mask) => ({ y: softmax(b, 'y', mask) })),
          true,
        ).after.steps,
      ),
    ).toEqual(['neg', 'causalSoftmax']);
  });

  it('knows where both come from', () => {
    const program = foldMasks(lower(specialise(attentionGraph(), { N: 5 })));
    const call = program.steps.find((step) => step.kind === 'call' && step.node.op === 'causalSoftmax');
    expect(call?.kind === 'call' && [call.node.id, call.node.parts]).toEqual([
      'weights',
      [{ id: 'masked', scope: '', at: { file: 'model.ts', line: 3, column: 1 } }],
    ]);
  });

  it.each(testBackends)('plans measure what is planned, and loops change no bit, on %s', async (backend) => {
    const device = await openDevice({ backend });
    for (const budget of ['100%', '50%', 'min']) {
      for (const splitReductions of [true, false]) {
        const planned = plan(attentionGraph(3, 5), {
          dims: { N: 45 },
          budget: parseBudget(budget),
          backend,
          splitReductions,
        });
        if (!splitReductions) expect(ops(planned.program.steps)).toContain('causalSoftmax');
        expect(ops(planned.unchunkedProgram.steps)).toContain('causalSoftmax');
        expect((await comparePlan(planned, device)).failures).toEqual([]);
      }
    }
    await device.destroy();
  });
});
