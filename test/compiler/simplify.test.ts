import { describe, expect, it } from 'vitest';
import { simplify } from '../../src/compiler/simplify.ts';
import { printGraph } from '../../src/ir/print.ts';
import { verify } from '../../src/ir/verify.ts';
import { GraphBuilder } from '../support/graphs.ts';

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
});
