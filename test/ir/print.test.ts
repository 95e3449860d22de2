import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lower } from '../../src/compiler/memory/lower.ts';
import { UserError } from '../../src/errors.ts';
import { parseGraph } from '../../src/ir/parse.ts';
import { printGraph, printProgram } from '../../src/ir/print.ts';
import { verify } from '../../src/ir/verify.ts';
import { attention } from '../codegen/support.ts';
import { attentionGraph, gptGraph } from '../support/graphs.ts';
import { randomGraph } from './random-graph.ts';

test('a printed graph reads back equal, whatever strings it holds', () => {
  fc.assert(
    fc.property(randomGraph, (graph) => {
      verify(graph);
      const text = printGraph(graph);
      expect(parseGraph(text)).toStrictEqual(graph);
      expect(printGraph(parseGraph(text))).toBe(text);
    }),
    { numRuns: 300 },
  );
});

test('a model reads back equal', () => {
  const graph = gptGraph({ layers: 2, width: 8, heads: 2, vocabulary: 11 });
  expect(parseGraph(printGraph(graph))).toStrictEqual(graph);
});

test('text attributes read back as text, dimensions as dimensions', () => {
  const text = `graph "g" {
  dims text
  input x: f32[text, 2]
  input y: f32[2]
  z: f32[text] = einsum(x, y) {equation: text "ij,j->i"}
  part: f32[text] = slice(z) {axis: 0, start: 0, length: text}
  output "z" = part
}
`;
  const graph = parseGraph(text);
  verify(graph);
  expect(graph.nodes.map((node) => node.kind === 'op' && node.attrs)).toEqual([
    { equation: { text: 'ij,j->i' } },
    { axis: 0, start: 0, length: 'text' },
  ]);
  expect(printGraph(graph)).toBe(text);
});

test('prints one node a line', () => {
  expect(printGraph(attentionGraph())).toMatchInlineSnapshot(`
    "graph "attention" {
      dims N
      input q: f32[2, N, 4]
      input k: f32[2, N, 4]
      input v: f32[2, N, 4]
      kT: f32[2, 4, N] = permute(k) {axes: [0, 2, 1]} at "model.ts":1:1
      scores: f32[2, N, N] = matmul(q, kT) at "model.ts":2:1
      masked: f32[2, N, N] = causalMask(scores) {rowStart: 0, columnStart: 0} at "model.ts":3:1
      weights: f32[2, N, N] = softmax(masked) {axis: 2} at "model.ts":4:1
      context: f32[2, N, 4] = matmul(weights, v) at "model.ts":5:1
      output "context" = context
    }
    "
  `);
});

test('prints the steps of a program', () => {
  expect(printProgram(lower(attention().graph))).toMatchInlineSnapshot(`
    "program "attention" {
      input x: f32[40, 16]
      param h_attn_q_weight: f32[16, 16] key "h.attn.q.weight"
      param h_attn_k_weight: f32[16, 16] key "h.attn.k.weight"
      param h_attn_v_weight: f32[16, 16] key "h.attn.v.weight"
      alloc q: f32[40, 16]
      linear(x, h_attn_q_weight) into q
      alloc keys: f32[40, 16]
      linear(x, h_attn_k_weight) into keys
      alloc v: f32[40, 16]
      linear(x, h_attn_v_weight) into v
      view reshape = q.reshape([40, 2, 8])
      view qHeads = reshape.permute([1, 0, 2])
      view reshape_1 = keys.reshape([40, 2, 8])
      view kT = reshape_1.permute([1, 2, 0])
      view reshape_2 = v.reshape([40, 2, 8])
      view vHeads = reshape_2.permute([1, 0, 2])
      alloc context: f32[2, 40, 8] as output
      loop loop1 over "N" extent 40 chunk 24 start n0 length n {
        view qRows = qHeads.slice(1, n0, n+n0)
        alloc scores: f32[2, n, 40]
        matmul(qRows, kT) into scores
        view masked = scores
        causalMask(scores) {rowStart: n0, columnStart: 0} into masked
        view weights = masked
        alloc weights_scratch: f32[2, n] as scratch
        alloc weights_scratch_2: f32[2, n] as scratch
        softmax(masked) {axis: 2} into weights scratch weights_scratch, weights_scratch_2
        free weights_scratch
        free weights_scratch_2
        view rows = context.slice(1, n0, n+n0)
        matmul(weights, vHeads) into rows
        free scores
      }
      free keys
      free v
      alloc y: f32[2, 40, 8] as output
      add(context, qHeads) into y
      free q
      output "context" = context
      output "y" = y
    }
    "
  `);
});

describe('faults carry line and column', () => {
  const graph = (line: string) => `graph "g" {\n  input x: f32[N]\n  ${line}\n}\n`;
  test.each([
    ['', 'line 1, column 1: expected `graph`, got the end of the text'],
    ['graph {', 'line 1, column 7: expected the name of the graph, got `{`'],
    [graph('y: f64[N] = neg(x)'), 'line 3, column 6: expected an element type (f32 or i32), got `f64`'],
    [graph('y: f32[N = neg(x)'), 'line 3, column 12: expected `]`, got `=`'],
    [graph('y: f32[2N] = neg(x)'), 'line 3, column 10: expected a dimension, got `2N`'],
    [graph('y: f32[N] = neg x'), 'line 3, column 19: expected `(`, got `x`'],
    [graph('y: f32[N] = neg(x) in scope'), 'line 3, column 25: expected `:`, got `scope`'],
    [graph('y: f32[N] = neg(x) {axis 1}'), 'line 3, column 28: expected `:`, got `1`'],
    [graph('y: f32[N] = neg(x) hints {fast: true}'), 'expected noChunk, preferChunk or region'],
    [graph('output "y" = x\n  z: f32[N] = neg(x)'), 'line 4, column 3: expected `output` or `}`, got `z`'],
    [graph('output "\\q" = x'), 'expected the name of the output with JSON escapes'],
    [graph('loop l over "N" extent [8]'), 'line 3, column 26: expected the extent, got `[`'],
    [`${graph('')}more`, 'line 5, column 1: expected the end of the text, got `more`'],
  ])('%j', (text, message) => {
    expect(() => parseGraph(text)).toThrow(UserError);
    expect(() => parseGraph(text)).toThrow(message);
  });
});
