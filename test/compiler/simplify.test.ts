import { describe, expect, it } from 'vitest';
import { lower } from '../../src/compiler/memory/lower.ts';
import { simplify } from '../../src/compiler/passes/simplify.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import type { Graph } from '../../src/ir/node.ts';
import { printGraph } from '../../src/ir/print.ts';
import { verify } from '../../src/ir/verify.ts';
import { GraphBuilder } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';

describe('simplify', () => {
  it('collapses views, merges equal computations and drops what nobody uses', () => {
    const b = new GraphBuilder('views');
    const x = b.input('x', ['N', 6]);
    const same = b.op('same', 'reshape', [x], { shape: ['N', 6] });
    const flat = b.op('flat', 'reshape', [same], { shape: ['6*N'] });
    const split = b.op('split', 'reshape', [flat], { shape: ['N', 2, 3] });
    const swapped = b.op('swapped', 'permute', [split], { axes: [1, 0, 2] });
    const back = b.op('back', 'permute', [swapped], { axes: [1, 0, 2] });
    const a = b.op('a', 'exp', [back]);
    const again = b.op('again', 'exp', [split]);
    b.op('dead', 'exp', [flat]);
    const simple = simplify(b.build({ y: b.op('y', 'add', [a, again]), x: same }));
    verify(simple);
    expect(printGraph(simple)).toMatchInlineSnapshot(`
      "graph "views" {
        dims N
        input x: f32[N, 6]
        split: f32[N, 2, 3] = reshape(x) {shape: [N, 2, 3]} at "model.ts":3:1
        a: f32[N, 2, 3] = exp(split) at "model.ts":6:1
        y: f32[N, 2, 3] = add(a, a) at "model.ts":9:1
        output "y" = y
        output "x" = x
      }
      "
    `);
  });

  it('keeps computations apart that the author treats differently', () => {
    const b = new GraphBuilder('hints');
    const x = b.input('x', ['N']);
    const free = b.op('free', 'exp', [x]);
    const fixed = b.hinted({ noChunk: true }, () => b.op('fixed', 'exp', [x]));
    expect(simplify(b.build({ free, fixed })).nodes).toHaveLength(2);
  });

  /** A product of x with a merged weight, read in slices of the given starts and lengths. */
  function merged(slices: readonly (readonly [number, number])[], kept = false): Graph {
    const b = new GraphBuilder('merged');
    const x = b.input('x', ['N', 4]);
    const all = b.op('all', 'linear', [x, b.param('w', [4, 6]), b.param('bias', [6])], { transposed: true });
    const parts = slices.map(([start, length], i) =>
      b.op(`part${i}`, 'slice', [all], { axis: 1, start, length }),
    );
    const outputs = Object.fromEntries(parts.map((part) => [part, b.op(`${part}_exp`, 'exp', [part])]));
    return b.build({ ...outputs, ...(kept ? { all } : {}) });
  }

  it('takes a product apart that is read in slices only', () => {
    const graph = merged([
      [4, 2],
      [0, 3],
    ]);
    const simple = simplify(graph);
    verify(simple);
    expect(printGraph(simple)).toMatchInlineSnapshot(`
      "graph "merged" {
        dims N
        input x: f32[N, 4]
        param w: f32[4, 6] key "w"
        param bias: f32[6] key "bias"
        part0_weight: f32[4, 2] = slice(w) {axis: 1, start: 4, length: 2} at "model.ts":1:1
        part0_bias: f32[2] = slice(bias) {axis: 0, start: 4, length: 2} at "model.ts":1:1
        part0: f32[N, 2] = linear(x, part0_weight, part0_bias) {transposed: true} at "model.ts":1:1
        part1_weight: f32[4, 3] = slice(w) {axis: 1, start: 0, length: 3} at "model.ts":1:1
        part1_bias: f32[3] = slice(bias) {axis: 0, start: 0, length: 3} at "model.ts":1:1
        part1: f32[N, 3] = linear(x, part1_weight, part1_bias) {transposed: true} at "model.ts":1:1
        part0_exp: f32[N, 2] = exp(part0) at "model.ts":4:1
        part1_exp: f32[N, 3] = exp(part1) at "model.ts":5:1
        output "part0" = part0_exp
        output "part1" = part1_exp
      }
      "
    `);
    const program = lower(simplify(specialise(graph, { N: 3 })));
    const data = randomData(program);
    expect(interpret(program, data).outputs).toEqual(
      interpret(lower(specialise(graph, { N: 3 })), data).outputs,
    );
  });

  it('takes no product apart that is needed whole or whose slices overlap', () => {
    const ops = (graph: Graph): number => simplify(graph).nodes.filter(({ id }) => id === 'all').length;
    expect(ops(merged([[0, 3]], true))).toBe(1);
    expect(
      ops(
        merged([
          [0, 4],
          [3, 3],
        ]),
      ),
    ).toBe(1);
    expect(ops(merged([[0, 3]]))).toBe(0);
  });
});
