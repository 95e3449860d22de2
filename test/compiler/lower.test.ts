import { describe, expect, it } from 'vitest';
import { placeLoops } from '../../src/compiler/loops/place-loops.ts';
import type { Choice } from '../../src/compiler/loops/region.ts';
import { estimate } from '../../src/compiler/memory/estimate.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import type { Cut } from '../../src/ir/flow.ts';
import type { Graph } from '../../src/ir/node.ts';
import { parseGraph } from '../../src/ir/parse.ts';
import { printProgram } from '../../src/ir/print.ts';
import { verify } from '../../src/ir/verify.ts';
import { attentionGraph, GraphBuilder } from '../support/graphs.ts';
import { interpret, randomData } from '../support/interpret.ts';

/** Lowers, runs and compares with the graph without loops; returns the printed steps. */
function lowered(graph: Graph, choices: readonly Choice[] = []): string {
  const placed = placeLoops(graph, choices);
  verify(placed);
  const program = lower(placed);
  const data = randomData(program);
  const result = interpret(program, data);
  expect(result.outputs).toEqual(interpret(lower(graph), data).outputs);
  expect(result.peakBytes).toBe(estimate(program).peakBytes);
  return printProgram(program);
}

const choice = (cuts: Record<string, Cut>, extent: number, chunkSize: number): Choice => ({
  region: { cuts: new Map(Object.entries(cuts)), extent },
  chunkSize,
});

describe('lower', () => {
  it('allocates before each kernel and frees after the last use', () => {
    expect(lowered(specialise(attentionGraph(), { N: 5 }))).toMatchInlineSnapshot(`
      "program "attention" {
        input q: f32[2, 5, 4]
        input k: f32[2, 5, 4]
        input v: f32[2, 5, 4]
        view kT = k.permute([0, 2, 1])
        alloc scores: f32[2, 5, 5]
        matmul(q, kT) into scores
        view masked = scores
        causalMask(scores) {rowStart: 0, columnStart: 0} into masked
        view weights = masked
        alloc weights_scratch: f32[2, 5] as scratch
        alloc weights_scratch_2: f32[2, 5] as scratch
        softmax(masked) {axis: 2} into weights scratch weights_scratch, weights_scratch_2
        free weights_scratch
        free weights_scratch_2
        alloc context: f32[2, 5, 4] as output
        matmul(weights, v) into context
        free scores
        output "context" = context
      }
      "
    `);
  });

  it('writes loop results through slices and keeps nothing of the body', () => {
    const rows = { axis: 1, multiple: 1 };
    const cuts = { scores: rows, masked: rows, weights: rows, context: rows };
    const graph = specialise(attentionGraph(), { N: 5 });
    expect(lowered(graph, [choice(cuts, 5, 2)])).toMatchInlineSnapshot(`
      "program "attention" {
        input q: f32[2, 5, 4]
        input k: f32[2, 5, 4]
        input v: f32[2, 5, 4]
        view kT = k.permute([0, 2, 1])
        alloc context: f32[2, 5, 4] as output
        loop loop1 over "N" extent 5 chunk 2 start n0 length n {
          view q_slice = q.slice(1, n0, n+n0)
          alloc scores: f32[2, n, 5]
          matmul(q_slice, kT) into scores
          view masked = scores
          causalMask(scores) {rowStart: n0, columnStart: 0} into masked
          view weights = masked
          alloc weights_scratch: f32[2, n] as scratch
          alloc weights_scratch_2: f32[2, n] as scratch
          softmax(masked) {axis: 2} into weights scratch weights_scratch, weights_scratch_2
          free weights_scratch
          free weights_scratch_2
          view context_chunk = context.slice(1, n0, n+n0)
          matmul(weights, v) into context_chunk
          free scores
        }
        output "context" = context
      }
      "
    `);
  });

  it('cuts merged axes in steps', () => {
    const b = new GraphBuilder('heads');
    const x = b.input('x', ['N', 6]);
    const twice = b.op('twice', 'mulScalar', [x], { value: 2 });
    const heads = b.op('heads', 'reshape', [twice], { shape: ['N', 3, 2] });
    const graph = specialise(b.build({ y: b.op('y', 'softmax', [heads], { axis: 2 }) }), { N: 4 });
    const cuts = {
      twice: { axis: 1, multiple: 2 },
      heads: { axis: 1, multiple: 1 },
      y: { axis: 1, multiple: 1 },
    };
    expect(lowered(graph, [choice(cuts, 3, 2)])).toMatchInlineSnapshot(`
      "program "heads" {
        input x: f32[4, 6]
        alloc y: f32[4, 3, 2] as output
        loop loop1 over "axis of 3" extent 3 chunk 2 start i0 length i {
          view x_slice = x.slice(1, 2*i0, 2*i+2*i0)
          alloc twice: f32[4, 2*i]
          mulScalar(x_slice) {value: 2} into twice
          view heads = twice.reshape([4, i, 2])
          view y_chunk = y.slice(1, i0, i+i0)
          alloc y_chunk_scratch: f32[4, i] as scratch
          alloc y_chunk_scratch_2: f32[4, i] as scratch
          softmax(heads) {axis: 2} into y_chunk scratch y_chunk_scratch, y_chunk_scratch_2
          free y_chunk_scratch
          free y_chunk_scratch_2
          free twice
        }
        output "y" = y
      }
      "
    `);
  });

  it('shifts positions held in attributes', () => {
    const b = new GraphBuilder('positions');
    const table = b.param('table', [9, 2]);
    const rows = b.op('rows', 'slice', [table], { axis: 0, start: 1, length: 'N' });
    const places = b.op('places', 'iota', [], { length: 'N', start: 2, step: 1 });
    const found = b.op('found', 'embedding', [table, places]);
    const graph = specialise(b.build({ y: b.op('y', 'mul', [rows, found]) }), { N: 5 });
    const cut = { axis: 0, multiple: 1 };
    expect(
      lowered(graph, [choice({ rows: cut, places: cut, found: cut, y: cut }, 5, 2)]),
    ).toMatchInlineSnapshot(`
      "program "positions" {
        param table: f32[9, 2] key "table"
        alloc y: f32[5, 2] as output
        loop loop1 over "N" extent 5 chunk 2 start n0 length n {
          view rows = table.slice(0, n0+1, n+n0+1)
          alloc places: i32[n]
          iota() {start: n0+2, step: 1, length: n} into places
          alloc found: f32[n, 2]
          embedding(table, places) into found
          free places
          view y_chunk = y.slice(0, n0, n+n0)
          mul(rows, found) into y_chunk
          free found
        }
        output "y" = y
      }
      "
    `);
  });

  it('copies a reshape that strides do not allow, straight into a loop result', () => {
    const b = new GraphBuilder('merge');
    const x = b.input('x', [2, 'N', 3]);
    const y = b.op('y', 'exp', [x]);
    const rows = b.op('rows', 'permute', [y], { axes: [1, 0, 2] });
    const merged = b.op('merged', 'reshape', [rows], { shape: ['N', 6] });
    const graph = specialise(b.build({ merged }), { N: 4 });
    expect(lowered(graph)).toMatchInlineSnapshot(`
      "program "merge" {
        input x: f32[2, 4, 3]
        alloc y: f32[2, 4, 3]
        exp(x) into y
        view rows = y.permute([1, 0, 2])
        alloc merged: f32[4, 6] as output
        view merged_rows = merged.reshape([4, 2, 3])
        copy(rows) into merged_rows
        free y
        output "merged" = merged
      }
      "
    `);
    const cuts = {
      y: { axis: 1, multiple: 1 },
      rows: { axis: 0, multiple: 1 },
      merged: { axis: 0, multiple: 1 },
    };
    expect(lowered(graph, [choice(cuts, 4, 3)])).toMatchInlineSnapshot(`
      "program "merge" {
        input x: f32[2, 4, 3]
        alloc merged: f32[4, 6] as output
        loop loop1 over "N" extent 4 chunk 3 start n0 length n {
          view x_slice = x.slice(1, n0, n+n0)
          alloc y: f32[2, n, 3]
          exp(x_slice) into y
          view rows = y.permute([1, 0, 2])
          view merged_chunk = merged.slice(0, n0, n+n0)
          view merged_chunk_rows = merged_chunk.reshape([n, 2, 3])
          copy(rows) into merged_chunk_rows
          free y
        }
        output "merged" = merged
      }
      "
    `);
  });

  it('gives every output a storage of its own', () => {
    const b = new GraphBuilder('outputs');
    const x = b.input('x', ['N', 2]);
    const w = b.param('w', [2]);
    const y = b.op('y', 'add', [x, w]);
    const turned = b.op('turned', 'permute', [y], { axes: [1, 0] });
    const view = b.op('view', 'reshape', [x], { shape: ['2*N'] });
    const graph = specialise(b.build({ x, w, y, same: y, turned, view }), { N: 3 });
    expect(lowered(graph)).toMatchInlineSnapshot(`
      "program "outputs" {
        input x: f32[3, 2]
        param w: f32[2] key "w"
        alloc y: f32[3, 2] as output
        add(x, w) into y
        view turned = y.permute([1, 0])
        view view = x.reshape([6])
        alloc x_copy: f32[3, 2] as output
        copy(x) into x_copy
        alloc w_copy: f32[2] as output
        copy(w) into w_copy
        alloc y_copy: f32[3, 2] as output
        copy(y) into y_copy
        alloc turned_copy: f32[2, 3] as output
        copy(turned) into turned_copy
        alloc view_copy: f32[6] as output
        copy(view) into view_copy
        output "x" = x_copy
        output "w" = w_copy
        output "y" = y
        output "same" = y_copy
        output "turned" = turned_copy
        output "view" = view_copy
      }
      "
    `);
  });

  it('copies body results that are views, in order', () => {
    const b = new GraphBuilder('views');
    const x = b.input('x', ['N', 3]);
    const y = b.op('y', 'exp', [x]);
    const turned = b.op('turned', 'permute', [y], { axes: [1, 0] });
    const z = b.op('z', 'neg', [y]);
    const graph = specialise(b.build({ turned, y, z }), { N: 4 });
    const cut = { axis: 0, multiple: 1 };
    const cuts = { y: cut, turned: { axis: 1, multiple: 1 }, z: cut };
    expect(lowered(graph, [choice(cuts, 4, 3)])).toMatchInlineSnapshot(`
      "program "views" {
        input x: f32[4, 3]
        alloc y: f32[4, 3] as output
        alloc turned: f32[3, 4] as output
        alloc z: f32[4, 3] as output
        loop loop1 over "N" extent 4 chunk 3 start n0 length n {
          view x_slice = x.slice(0, n0, n+n0)
          view y_chunk = y.slice(0, n0, n+n0)
          exp(x_slice) into y_chunk
          view turned_chunk = y_chunk.permute([1, 0])
          view turned_slice = turned.slice(1, n0, n+n0)
          copy(turned_chunk) into turned_slice
          view z_chunk = z.slice(0, n0, n+n0)
          neg(y_chunk) into z_chunk
        }
        output "turned" = turned
        output "y" = y
        output "z" = z
      }
      "
    `);
  });

  it('numbers several loops in execution order and keeps their names apart', () => {
    const b = new GraphBuilder('two');
    const x = b.input('x', ['N', 3]);
    const y = b.op('y', 'exp', [x]);
    const z = b.op('z', 'softmax', [y], { axis: 0 });
    const u = b.op('u', 'neg', [z]);
    const graph = specialise(b.build({ u }), { N: 4 });
    const cut = { axis: 0, multiple: 1 };
    const second = choice({ u: cut }, 4, 2);
    const first = choice({ y: cut }, 4, 2);
    expect(lowered(graph, [second, first])).toMatchInlineSnapshot(`
      "program "two" {
        input x: f32[4, 3]
        alloc y: f32[4, 3] as output
        loop loop1 over "N" extent 4 chunk 2 start n0 length n {
          view x_slice = x.slice(0, n0, n+n0)
          view y_chunk = y.slice(0, n0, n+n0)
          exp(x_slice) into y_chunk
        }
        view z = y
        alloc z_scratch: f32[3] as scratch
        alloc z_scratch_2: f32[3] as scratch
        softmax(y) {axis: 0} into z scratch z_scratch, z_scratch_2
        free z_scratch
        free z_scratch_2
        view u = y
        loop loop2 over "N" extent 4 chunk 2 start n0_2 length n_2 {
          view z_slice = z.slice(0, n0_2, n0_2+n_2)
          view u_chunk = u.slice(0, n0_2, n0_2+n_2)
          neg(z_slice) into u_chunk
        }
        output "u" = u
      }
      "
    `);
  });

  it('writes the result of an inner loop straight into the result of the outer one', () => {
    const nested = parseGraph(`graph "nested" {
      input x: f32[5, 6]
      loop loop1 over "N" extent 5 chunk 2 start n0 length n {
        slice rows = x axis 0 times 1
        graph "loop1" {
          input rows: f32[n, 6]
          loop loop2 over "M" extent 3 chunk 2 start m0 length m {
            slice part = rows axis 1 times 2
            graph "loop2" {
              input part: f32[n, 2*m]
              y_part: f32[n, 2*m] = exp(part)
            }
            y_rows: f32[n, 6] = concat y_part axis 1 times 2
          }
          z_rows: f32[n, 6] = softmax(y_rows) {axis: 1}
        }
        y: f32[5, 6] = concat y_rows axis 0 times 1
        again: f32[5, 6] = concat y_rows axis 0 times 1
        z: f32[5, 6] = concat z_rows axis 0 times 1
      }
      output "y" = y
      output "again" = again
      output "z" = z
    }`);
    verify(nested);
    const program = lower(nested);
    expect(printProgram(program)).toMatchInlineSnapshot(`
      "program "nested" {
        input x: f32[5, 6]
        alloc y: f32[5, 6] as output
        alloc again: f32[5, 6] as output
        alloc z: f32[5, 6] as output
        loop loop1 over "N" extent 5 chunk 2 start n0 length n {
          view rows = x.slice(0, n0, n+n0)
          view y_rows = y.slice(0, n0, n+n0)
          loop loop2 over "M" extent 3 chunk 2 start m0 length m {
            view part = rows.slice(1, 2*m0, 2*m+2*m0)
            view y_part = y_rows.slice(1, 2*m0, 2*m+2*m0)
            exp(part) into y_part
          }
          view again_slice = again.slice(0, n0, n+n0)
          copy(y_rows) into again_slice
          view z_rows = z.slice(0, n0, n+n0)
          alloc z_rows_scratch: f32[n] as scratch
          alloc z_rows_scratch_2: f32[n] as scratch
          softmax(y_rows) {axis: 1} into z_rows scratch z_rows_scratch, z_rows_scratch_2
          free z_rows_scratch
          free z_rows_scratch_2
        }
        output "y" = y
        output "again" = again
        output "z" = z
      }
      "
    `);
    const data = randomData(program);
    const b = new GraphBuilder('flat');
    const y = b.op('y', 'exp', [b.input('x', [5, 6])]);
    const flat = lower(b.build({ y, again: y, z: b.op('z', 'softmax', [y], { axis: 1 }) }));
    const result = interpret(program, data);
    expect(result.outputs).toEqual(interpret(flat, data).outputs);
    expect(result.peakBytes).toBe(estimate(program).peakBytes);
    expect(result.peakBytes).toBe(4 * 30 * 4 + 2 * 2 * 4);
  });
});
