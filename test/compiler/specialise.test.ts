import { describe, expect, it } from 'vitest';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { printGraph } from '../../src/ir/print.ts';
import { verify } from '../../src/ir/verify.ts';
import { attentionGraph, GraphBuilder, mlpGraph } from '../support/graphs.ts';

describe('specialise', () => {
  it('binds shapes and attributes and keeps the names', () => {
    const b = new GraphBuilder('views');
    const x = b.input('x', ['N', 6]);
    const split = b.op('split', 'reshape', [x], { shape: ['N', 2, 3] });
    const tail = b.op('tail', 'slice', [split], { axis: 0, start: 'N-2', length: 2 });
    const bound = specialise(b.build({ tail }), { N: 5 });
    verify(bound);
    expect(printGraph(bound)).toMatchInlineSnapshot(`
      "graph "views" {
        input x: f32[5, 6]
        split: f32[5, 2, 3] = reshape(x) {shape: [5, 2, 3]} at "model.ts":1:1 symbolic [N, 2, 3]
        tail: f32[2, 2, 3] = slice(split) {axis: 0, start: 3, length: 2} at "model.ts":2:1 symbolic [2, 2, 3]
        output "tail" = tail
      }
      "
    `);
  });

  it('leaves the traced graph as it was', () => {
    const graph = mlpGraph();
    const before = printGraph(graph);
    specialise(graph, { N: 3 });
    expect(printGraph(graph)).toBe(before);
  });

  it.each([
    [{}],
    [{ N: 4, M: 2 }],
    [{ N: 0 }],
    [{ N: -3 }],
    [{ N: 2.5 }],
    [{ N: Number.NaN }],
    [{ M: 3, K: 4 }],
  ])('refuses %j', (dims) => {
    let message = '';
    try {
      specialise(attentionGraph(), dims);
    } catch (error) {
      message = `${(error as Error).name} ${(error as { exitCode: number }).exitCode}: ${(error as Error).message}`;
    }
    expect(message).toMatchSnapshot();
  });

  it('names the op and the line where a value does not fit', () => {
    const b = new GraphBuilder('positions');
    const x = b.input('x', ['N', 4]);
    const rows = b.op('rows', 'slice', [b.param('table', [8, 4])], { axis: 0, start: 0, length: 'N' });
    const graph = b.build({ y: b.op('y', 'add', [x, rows]) });
    expect(() => specialise(graph, { N: 9 })).toThrowErrorMatchingInlineSnapshot(
      `[UserError: N = 9 does not fit the model: slice: start 0, length 9 lies outside axis 0 of [8, 4] (model.ts:1:1)]`,
    );
    expect(() => specialise(graph, { N: 8 })).not.toThrow();
  });
});
