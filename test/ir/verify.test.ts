import { produce, type WritableDraft } from 'immer';
import { describe, expect, test } from 'vitest';
import type { Graph, LoopNode, Node, OpNode } from '../../src/ir/node.ts';
import { verify } from '../../src/ir/verify.ts';
import { VerifyError } from '../../src/ir/verify-error.ts';
import { attention, residual } from '../codegen/support.ts';
import { gptGraph } from '../support/graphs.ts';

const graph = attention().graph;

type Draft = WritableDraft<Graph>;
const op = (nodes: readonly WritableDraft<Node>[], id: string) =>
  nodes.find((node) => node.id === id) as WritableDraft<OpNode>;
const loop = (draft: Draft) => draft.nodes.find((node) => node.kind === 'loop') as WritableDraft<LoopNode>;
const inLoop = (draft: Draft, id: string) => op(loop(draft).body.nodes, id);

test('accepts graphs with and without loops', () => {
  verify(graph);
  verify(gptGraph({ layers: 2, width: 8, heads: 2, vocabulary: 11 }));
});

const corruptions: readonly [what: string, corrupt: (draft: Draft) => void, message: string][] = [
  [
    'two values of one name',
    (d) => void (op(d.nodes, 'keys').id = 'q'),
    'has a name that is taken by value q',
  ],
  ['a body value with an outer name', (d) => void (inLoop(d, 'rows').id = 'q'), 'taken by value q'],
  ['a name that is no identifier', (d) => void (op(d.nodes, 'y').id = 'y-1'), '"y-1" is not an identifier'],
  ['a reserved word', (d) => void (op(d.nodes, 'y').id = 'class'), '"class" is not an identifier'],
  ['use before definition', (d) => void d.nodes.reverse(), 'which is not defined before it'],
  [
    'an unknown operand',
    (d) => void (op(d.nodes, 'keys').operands[0] = 'z'),
    'keys uses z, which is not defined',
  ],
  [
    'nodes that stand there twice',
    (d) => void d.nodes.push(...d.nodes.filter(({ kind }) => kind === 'loop')),
    'there are two loops loop1',
  ],
  ['an unknown op', (d) => void (op(d.nodes, 'keys').op = 'frobnicate'), 'keys: there is no op frobnicate'],
  [
    'a wrong shape',
    (d) => void (op(d.nodes, 'q').shape = [40, 17]),
    'q is f32[40, 17], but linear gives f32[40, 16]',
  ],
  [
    'a wrong element type',
    (d) => void (op(d.nodes, 'q').dtype = 'i32'),
    'q is i32[40, 16], but linear gives f32',
  ],
  ['operands that do not fit', (d) => void (op(d.nodes, 'y').operands[1] = 'q'), 'y: add: '],
  [
    'an undeclared dimension',
    (d) => void ((d.inputs[0] as { shape: unknown[] }).shape[0] = 'M'),
    'dimension M is not declared',
  ],
  [
    'a dimension that is not canonical',
    (d) => void ((d.inputs[0] as { shape: unknown[] }).shape[0] = '1 + 39'),
    'is not canonical',
  ],
  [
    'text that is no dimension',
    (d) => void ((d.inputs[0] as { shape: unknown[] }).shape[0] = '?'),
    '"?" is not a dimension',
  ],
  [
    'an empty extent',
    (d) => void ((d.inputs[0] as { shape: unknown[] }).shape[0] = 0),
    'the extent 0 is not a positive',
  ],
  ['a senseless bound', (d) => void ((d.inputs[0] as { below?: number }).below = 0), 'the bound 0'],
  [
    'an attribute of a loop outside it',
    (d) => void ((op(d.nodes, 'reshape').attrs as { shape: unknown[] }).shape[0] = 'n'),
    'attribute shape: the dimension n is not declared',
  ],
  [
    'a symbolic shape of another rank',
    (d) => void (op(d.nodes, 'q').symbolic = ['N']),
    'symbolic shape [N] has another rank',
  ],
  [
    'an output of no value',
    (d) => void ((d.outputs[0] as { value: string }).value = 'rows'),
    'output "context": there is no value rows',
  ],
  [
    'two outputs of one name',
    (d) => void ((d.outputs[0] as { name: string }).name = 'y'),
    'output "y" is declared twice',
  ],
  ['a chunk size of 0', (d) => void (loop(d).chunkSize = 0), 'loop loop1: chunk size 0'],
  ['a chunk larger than the extent', (d) => void (loop(d).chunkSize = 41), 'exceeds the extent 40'],
  [
    'an extent that is not the sliced one',
    (d) => void (loop(d).extent = 39),
    'axis 1 of context has extent 40, expected 1 · 39',
  ],
  [
    'a wrong multiple',
    (d) => void ((loop(d).slices[0] as { multiple: number }).multiple = 2),
    'expected 2 · 40',
  ],
  ['a slice on no axis', (d) => void ((loop(d).slices[0] as { axis: number }).axis = 3), 'has no axis 3'],
  ['a body that lacks an input', (d) => void loop(d).body.inputs.pop(), 'the body lacks the input vHeads'],
  [
    'a body input that nothing feeds',
    (d) => void loop(d).whole.pop(),
    "nothing feeds the body's input vHeads",
  ],
  [
    'a body input of another type',
    (d) => void ((loop(d).body.inputs[0] as { shape: unknown[] }).shape[1] = 24),
    'the body takes qRows as f32[2, 24, 8], it is f32[2, n, 8]',
  ],
  [
    'a body that reads around its inputs',
    (d) => void (inLoop(d, 'scores').operands[0] = 'qHeads'),
    'scores uses qHeads',
  ],
  ['a body value used outside', (d) => void (op(d.nodes, 'y').operands[0] = 'rows'), 'y uses rows'],
  [
    'a result of no value',
    (d) => void ((loop(d).results[0] as { value: string }).value = 'v'),
    'the body has no value v',
  ],
  [
    'a result of another shape',
    (d) => void ((loop(d).results[0] as { value: string }).value = 'scores'),
    'from each iteration, scores is f32[2, n, 40]',
  ],
  [
    'a result cut along no axis',
    (d) => void ((loop(d).results[0] as { axis: number }).axis = 9),
    'has no axis 9',
  ],
  ['a loop without results', (d) => void (loop(d).results = []), 'loop loop1 has no result'],
  [
    'a start with the name of a value',
    (d) => void (loop(d).start = 'q'),
    'the start of loop loop1 has a name that is taken',
  ],
  [
    'parameters of a body',
    (d) => void loop(d).body.params.push({ id: 'w', key: 'w', shape: [1], dtype: 'f32' }),
    'belong to the outermost graph',
  ],
  [
    'two loops of one name',
    (d) => void d.nodes.push({ ...loop(d), results: [] }),
    'there are two loops loop1',
  ],
];

describe('catches', () => {
  test.each(corruptions)('%s', (_what, corrupt, message) => {
    const broken = produce(graph, corrupt);
    expect(() => verify(broken)).toThrow(VerifyError);
    expect(() => verify(broken)).toThrow(message);
  });
});

const image = residual().graph;
const haloCorruptions: readonly [what: string, corrupt: (draft: Draft) => void, message: string][] = [
  [
    'a halo with the name of a value',
    (d) => void ((loop(d).halos[0] as { start: string }).start = 'image'),
    'the start of a halo of loop loop1 has a name that is taken',
  ],
  [
    'a halo of nothing',
    (d) => void ((loop(d).halos[0] as { after: number }).after = -1),
    'the halo h_from has no element in some iteration',
  ],
  [
    'a slice along a halo of another axis',
    (d) => void ((loop(d).halos[1] as { extent: number }).extent = 23),
    'axis 2 of image is cut along a halo h_from_2 that is not its own',
  ],
  [
    'a slice along a halo that is not there',
    (d) => void ((loop(d).slices[0] as { halo: string }).halo = 'h0'),
    'along a halo h0 that is not its own',
  ],
  [
    'a result that misses its end',
    (d) => {
      Object.assign(loop(d).halos[0] as object, { before: 3, after: -1, multiple: 2, extent: 24 });
      Object.assign(loop(d).results[0] as object, { multiple: 2, halo: 'h_from', shape: [1, 8, 24, 8] });
    },
    'the iterations leave out elements of sum along axis 2',
  ],
  [
    'a part along no axis',
    (d) => void ((inLoop(d, 'sum_chunk').reads?.[0] as { axis: number }).axis = 4),
    'sum_chunk reads a part along axis 4 of [1, 8, h_with, 8]',
  ],
  [
    'a part of another length',
    (d) => void ((inLoop(d, 'sum_chunk').reads?.[0] as { length: string }).length = 'h_with'),
    'cannot broadcast [1, 8, h_with, 8] with [1, 8, h, 8]',
  ],
  [
    'a part of no operand',
    (d) => void ((inLoop(d, 'sum_chunk').reads?.[0] as { operand: number }).operand = 2),
    'the parts it reads are not in order of its 2 operands',
  ],
  [
    'a window that is padded too much',
    (d) => void ((inLoop(d, 'mixed').attrs.padding as unknown[])[0] = 2),
    'but conv2d gives',
  ],
];

describe('catches in loops with borders', () => {
  test('nothing where there is nothing', () => {
    verify(image);
  });
  test.each(haloCorruptions)('%s', (_what, corrupt, message) => {
    const broken = produce(image, corrupt);
    expect(() => verify(broken)).toThrow(VerifyError);
    expect(() => verify(broken)).toThrow(message);
  });
});

test('messages show the node among its neighbours', () => {
  const broken = produce(graph, (draft) => void (inLoop(draft, 'masked').shape = [2, 24, 40]));
  expect(() => verify(broken)).toThrowErrorMatchingInlineSnapshot(`
    [VerifyError: autochunk internal error (please report): masked is f32[2, 24, 40], but causalMask gives f32[2, n, 40]
    in graph "loop1":
        scores: f32[2, n, 40] = matmul(qRows, kT) in "h.attn" at "models/attention/model.ts":44:18
      > masked: f32[2, 24, 40] = causalMask(scores) {rowStart: n0, columnStart: 0} in "h.attn" at "models/attention/model.ts":45:18
        weights: f32[2, n, 40] = softmax(masked) {axis: 2} in "h.attn" at "models/attention/model.ts":46:19
        …]
  `);
});
