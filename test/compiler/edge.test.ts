import { describe, expect, it } from 'vitest';
import { parseBudget } from '../../src/compiler/budget.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { registerOp } from '../../src/ir/ops/index.ts';
import { attentionGraph, GraphBuilder, gptGraph } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';
import { expectSameOutputs } from '../support/same-outputs.ts';

const min = { budget: parseBudget('min'), backend: 'cpu' } as const;

describe('models at the edge', () => {
  it('compiles a model that returns its input', () => {
    const b = new GraphBuilder('identity');
    const planned = plan(b.build({ y: b.input('x', ['N']) }), { ...min, dims: { N: 3 } });
    expect(planned.planned.peakBytes).toBe(24);
    expect(interpret(planned.program, { x: [1, 2, 3] }).outputs.y?.data).toEqual(Float64Array.of(1, 2, 3));
  });

  it('compiles models without dimensions, inputs or parameters', () => {
    const b = new GraphBuilder('constants');
    const x = b.op('x', 'full', [], { shape: [2, 3], value: 2 });
    const planned = plan(b.build({ y: b.op('y', 'sum', [x], { axis: 1, keepdims: false }) }), {
      ...min,
      dims: {},
    });
    expect(interpret(planned.program, {}).outputs.y?.data).toEqual(Float64Array.of(6, 6));
    expect(planned.planned.parameterBytes).toBe(0);
  });

  it('compiles extents of 1, where there is nothing to cut along N', () => {
    for (const graph of [attentionGraph(), gptGraph({ layers: 1, width: 8, heads: 2, vocabulary: 9 })]) {
      const planned = plan(graph, { ...min, dims: { N: 1 } });
      expect(planned.loops.map(({ over }) => over)).not.toContain('N');
      const data = randomData(planned.program);
      const chunked = interpret(planned.program, data);
      expectSameOutputs(chunked.outputs, interpret(planned.unchunkedProgram, data).outputs, planned.graph);
      expect(chunked.peakBytes).toBe(planned.planned.peakBytes);
    }
  });

  it('leaves unused inputs alone', () => {
    const b = new GraphBuilder('unused');
    b.input('unused', ['N', 8]);
    const x = b.input('x', ['N', 2]);
    const planned = plan(b.build({ y: b.op('y', 'exp', [x]) }), { ...min, dims: { N: 4 } });
    expect(planned.planned.peakBytes).toBe(4 * (32 + 8 + 8));
  });

  it('never cuts an op of the user without an access pattern', () => {
    registerOp({
      name: 'testReverse',
      summary: 'rows in reverse order',
      infer: ([x]) => ({ shape: x?.shape ?? [], dtype: 'f32' }),
      flops: () => 0,
      reference: ([x]) => Float64Array.from(x?.data ?? []).reverse(),
    });
    const b = new GraphBuilder('user');
    const x = b.input('x', ['N', 4]);
    const wide = b.op('wide', 'linear', [x, b.param('w', [32, 4])]);
    const turned = b.op('turned', 'testReverse', [wide]);
    const planned = plan(b.build({ y: b.op('y', 'amax', [turned], { axis: 1, keepdims: false }) }), {
      ...min,
      dims: { N: 6 },
    });
    const inside = planned.graph.nodes.flatMap((node) => (node.kind === 'loop' ? node.body.nodes : []));
    expect(inside.map(({ id }) => id)).not.toContain('turned');
    const data = randomData(planned.program);
    expect(interpret(planned.program, data).outputs).toEqual(
      interpret(planned.unchunkedProgram, data).outputs,
    );
  });

  it('gives loop variables names that nothing else has', () => {
    const b = new GraphBuilder('names');
    const n = b.input('n', ['N', 4]);
    const n0 = b.op('n0', 'linear', [n, b.param('w', [32, 4])]);
    const planned = plan(b.build({ y: b.op('y', 'amax', [n0], { axis: 1, keepdims: false }) }), {
      ...min,
      dims: { N: 6 },
    });
    const [loop] = planned.graph.nodes.filter((node) => node.kind === 'loop');
    expect([loop?.start, loop?.length]).toEqual(['n0_2', 'n_2']);
  });
});
