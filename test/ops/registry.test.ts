import { describe, expect, it } from 'vitest';
import type { Attrs, DType } from '../../src/ir/node.ts';
import { allOps, hasOp, opDef, registerOp } from '../../src/ir/ops/index.ts';

const f32 = (...shape: (number | string)[]) => ({ shape, dtype: 'f32' as DType });
const i32 = (...shape: (number | string)[]) => ({ shape, dtype: 'i32' as DType });

function refusal(op: string, operands: readonly ReturnType<typeof f32>[], attrs: Attrs = {}): string {
  try {
    opDef(op).infer(operands, attrs);
    return `${op}: accepted`;
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

const windows = { stride: [1, 1], padding: [0, 0], dilation: [1, 1] };
const transposed = { ...windows, outputPadding: [0, 0], channelsPerGroup: 4 };

describe('operands that do not fit', () => {
  it('are refused in words', () => {
    const refusals = [
      refusal('add', [f32('N', 768), f32('N', 512)]),
      refusal('add', [f32('N')]),
      refusal('where', [i32('N'), f32('M'), f32()]),
      refusal('matmul', [f32('N', 64), f32(32, 'N')]),
      refusal('matmul', [f32(64), f32(64, 2)]),
      refusal('matmul', [f32(2, 3, 4), f32(3, 4, 5)]),
      refusal('linear', [f32('N', 64), f32(8, 32)]),
      refusal('linear', [f32('N', 64), f32(8, 32)], { transposed: true }),
      refusal('linear', [f32('N', 64), f32(8, 64), f32(64)]),
      refusal('linear', [f32('N', 64)]),
      refusal('linear', [f32('N', 64), f32(64)]),
      refusal('softmax', [f32('N')], { axis: 1 }),
      refusal('layerNorm', [f32('N', 8), f32(8), f32('N')]),
      refusal('rmsNorm', [f32(), f32(8)]),
      refusal('sum', [f32()], { axis: 0 }),
      refusal('reshape', [f32('N', 8)], { shape: ['N', 3, 3] }),
      refusal('permute', [f32('N', 8)], { axes: [0, 0] }),
      refusal('slice', [f32('N', 8)], { axis: 1, start: 6, length: 3 }),
      refusal('slice', [f32('N', 8)], { axis: 1, start: -1, length: 3 }),
      refusal('expand', [f32('N', 8)], { shape: ['N', 16] }),
      refusal('concat', [], { axis: 0 }),
      refusal('concat', [f32('N', 8), f32('M', 8)], { axis: 1 }),
      refusal('embedding', [f32('N', 8), f32('N')]),
      refusal('embedding', [f32('N'), i32('N')]),
      refusal('constant', [], { shape: [2, 2], values: [1, 2, 3] }),
      refusal('causalMask', [f32('N')]),
      refusal('causalSoftmax', [f32('N')]),
      refusal('causalSoftmax', [f32(2, 3), f32(2, 3)]),
      refusal('rotary', [f32('N', 7), f32('N', 3), f32('N', 3)]),
      refusal('rotary', [f32('N', 8), f32('N', 4), f32('N', 8)]),
      refusal('conv2d', [f32('N', 3, 8, 8)], windows),
      refusal('conv2d', [f32(3, 8, 8), f32(4, 3, 3, 3)], windows),
      refusal('conv2d', [f32('N', 3, 8, 8), f32(4, 2, 3, 3)], windows),
      refusal('conv2d', [f32('N', 3, 8, 8), f32(4, 3, 'K', 3)], windows),
      refusal('conv2d', [f32('N', 3, 8, 8), f32(4, 3, 3, 3), f32(3)], windows),
      refusal('conv2d', [f32('N', 3, 2, 8), f32(4, 3, 3, 3)], windows),
      refusal('conv2d', [f32('N', 3, 8, 8), f32(4, 3, 3, 3)], { ...windows, stride: [1, 0.5] }),
      refusal('conv2d', [f32('N', 3, 'H', 8), f32(4, 3, 3, 3)], { ...windows, stride: [2, 2] }),
      refusal('convTranspose2d', [f32('N', 4, 8, 8), f32(3, 4, 3, 3)], transposed),
      refusal('convTranspose2d', [f32('N', 6, 8, 8), f32(6, 4, 3, 3)], transposed),
      refusal('convTranspose2d', [f32('N', 4, 1, 8), f32(4, 4, 3, 3)], { ...transposed, padding: [2, 2] }),
      refusal('maxPool2d', [f32('N', 8, 8)], { ...windows, kernel: [2, 2] }),
      refusal('avgPool2d', [f32('N', 3, 8, 8)], { ...windows, kernel: [2, 2], padding: [0, 2] }),
      refusal('upsampleNearest2d', [f32('N', 3, 8, 8)], { scale: 1.5 }),
      refusal('groupNorm', [f32('N', 6), f32(6), f32(6)], { channelsPerGroup: 4 }),
      refusal('groupNorm', [f32('N', 6, 4), f32(6), f32(3)], { channelsPerGroup: 3 }),
      refusal('groupNorm', [f32('N'), f32(6), f32(6)], { channelsPerGroup: 3 }),
      refusal('einsum', [f32('N', 4), f32('N', 5)], { equation: { text: 'ij,jk->ik' } }),
      refusal('einsum', [f32('N', 4), f32(4)], { equation: { text: 'ij,jk->ik' } }),
      refusal('einsum', [f32(2, 2, 2, 2), f32(2)], { equation: { text: 'abcd,e->e' } }),
      refusal('geglu', [f32('N', 7)]),
      refusal('clamp', [f32('N')], { min: 1, max: 0 }),
      refusal('pad', [f32('N', 7)], { before: [0, -1], after: [0, 0], value: 0 }),
    ];
    expect(refusals.join('\n')).toMatchInlineSnapshot(`
      "ShapeError: add: cannot broadcast [N, 768] with [N, 512]
      ShapeError: add: expected 2 operands, got 1
      ShapeError: where: cannot broadcast [N] with [M]
      ShapeError: matmul: contracted extents differ: [N, 64] · [32, N]
      ShapeError: matmul: expected matrices (rank ≥ 2), got [64]
      ShapeError: matmul: leading axes: cannot broadcast [2] with [3]
      ShapeError: linear: expected last axis 32 for weight [8, 32], got [N, 64]
      ShapeError: linear: expected last axis 8 for weight [8, 32] (transposed), got [N, 64]
      ShapeError: linear: expected bias [8], got [64]
      ShapeError: linear: expected an input, a weight and perhaps a bias, got 1 operands
      ShapeError: linear: expected a weight matrix, got [64]
      ShapeError: softmax: axis 1 is out of range for [N]
      ShapeError: layerNorm: expected parameters [8] for [N, 8], got [N]
      ShapeError: rmsNorm: expected at least one axis, got a scalar
      ShapeError: sum: axis 0 is out of range for []
      ShapeError: reshape: [N, 8] has 8*N elements, [N, 3, 3] has 9*N
      ShapeError: permute: [0, 0] is not an order of the axes of [N, 8]
      ShapeError: slice: start 6, length 3 lies outside axis 1 of [N, 8]
      ShapeError: slice: start -1, length 3 lies outside axis 1 of [N, 8]
      ShapeError: expand: cannot expand [N, 8] to [N, 16]
      ShapeError: concat: expected at least one operand, got none
      ShapeError: concat: shapes must agree outside axis 1: [N, 8] and [M, 8]
      ShapeError: embedding: expected i32 ids, got f32
      ShapeError: embedding: expected a table [ids, width], got [N]
      ShapeError: constant: [2, 2] has 4 elements, got 3 values
      ShapeError: causalMask: expected scores [..., rows, columns], got [N]
      ShapeError: causalMask: expected scores [..., rows, columns], got [N]
      ShapeError: causalSoftmax: expected 1 operand, got 2
      ShapeError: rotary: expected [..., positions, channels] with an even number of channels, got [N, 7]
      ShapeError: rotary: expected cos and sin [N, 4] for [N, 8], got [N, 8]
      ShapeError: conv2d: expected an input, a weight and perhaps a bias, got 1 operands
      ShapeError: conv2d: expected an image [batch, channels, rows, columns], got [3, 8, 8]
      ShapeError: conv2d: the channels of [N, 3, 8, 8] and of weight [4, 2, 3, 3] make no whole number of groups
      ShapeError: conv2d: expected a weight of rank 4 whose last two extents are numbers, got [4, 3, K, 3]
      ShapeError: conv2d: expected bias [4], got [3]
      ShapeError: conv2d: a window of 3 does not fit into 2 elements with padding 0
      ShapeError: conv2d: expected stride to be two integers ≥ 1 (rows, columns), got [1, 0.5]
      ShapeError: conv2d: H elements in steps of 2 are no whole number for every H; write the extent as a multiple, such as '2*n'
      ShapeError: convTranspose2d: expected a weight with 4 input channels for [N, 4, 8, 8], got [3, 4, 3, 3]
      ShapeError: convTranspose2d: 6 channels are no whole number of groups of 4
      ShapeError: convTranspose2d: padding 2 leaves nothing of axis 2 of [N, 4, 1, 8]
      ShapeError: maxPool2d: expected an image [batch, channels, rows, columns], got [N, 8, 8]
      ShapeError: avgPool2d: padding 2 is more than half of the window of 2
      ShapeError: upsampleNearest2d: expected a positive integer as scale, got 1.5
      ShapeError: groupNorm: 6 channels are no whole number of groups of 4
      ShapeError: groupNorm: expected parameters [6] for [N, 6, 4], got [3]
      ShapeError: groupNorm: expected [batch, channels] with up to two more axes, got [N]
      ShapeError: einsum: j is 4 in [N, 4] and N in [N, 5]
      ShapeError: einsum: 'ij,jk->ik' names 2 axes of operand 2, which is [4]
      ShapeError: einsum: 'abcd,e->e' sums over 4 labels (a, b, c, d), at most 3 are possible; sum one operand first
      ShapeError: geglu: expected a last axis of even extent, got [N, 7]
      ShapeError: clamp: expected min ≤ max, got 1 and 0
      ShapeError: pad: expected a count ≥ 0 before and after every axis of [N, 7], got [0,-1] and [0,0]"
    `);
  });
});

describe('the registry', () => {
  it('knows ops by name', () => {
    expect(hasOp('matmul')).toBe(true);
    expect(hasOp('frobnicate')).toBe(false);
    expect(() => opDef('frobnicate')).toThrow('no op is named "frobnicate"');
    expect(new Set(allOps().map(({ name }) => name)).size).toBe(allOps().length);
  });

  it('takes ops of the user, once, under a valid name', () => {
    const def = { ...opDef('relu'), name: 'testRelu' };
    registerOp(def);
    expect(opDef('testRelu')).toBe(def);
    expect(() => registerOp(def)).toThrow('an op named "testRelu" exists already; choose another name');
    expect(() => registerOp({ ...def, name: 'matmul' })).toThrow('exists already');
    expect(() => registerOp({ ...def, name: 'a b' })).toThrow('op name "a b" is not an identifier');
  });
});
