import { describe, expect, it } from 'vitest';
import { backward, forward } from '../../src/ir/flow.ts';
import { pattern } from '../../src/ir/pattern.ts';

const matmul = pattern(
  'b m k, b k n -> b m n',
  [
    [2, 4, 3],
    [2, 3, 5],
  ],
  [2, 4, 5],
);
const merge = pattern('n h d -> n (h d)', [[4, 3, 2]], [4, 6]);
const split = pattern('n (h d) -> n h d', [[4, 6]], [4, 3, 2]);
const softmax = pattern('r c! -> r c!', [[4, 5]], [4, 5]);
const sliced = pattern('t! d -> s d', [[9, 2]], [4, 2], { starts: { s: 'start' } });
const cut = (axis: number, multiple = 1) => ({ axis, multiple });

describe('backward', () => {
  it('follows labels to the operands that carry them', () => {
    expect(backward(matmul, cut(0))).toMatchObject({ operands: [cut(0), cut(0)] });
    expect(backward(matmul, cut(1))).toMatchObject({ operands: [cut(1), undefined] });
    expect(backward(matmul, cut(2))).toMatchObject({ operands: [undefined, cut(2)] });
  });

  it('carries multiples through merged and split axes', () => {
    expect(backward(merge, cut(1, 2))).toMatchObject({ operands: [cut(1)] });
    expect(backward(merge, cut(1, 4))).toMatchObject({ operands: [cut(1, 2)] });
    expect(backward(split, cut(1))).toMatchObject({ operands: [cut(1, 2)] });
  });

  it('shifts the attribute that positions a slice', () => {
    expect(backward(sliced, cut(0, 2))).toEqual({
      operands: [undefined],
      shifts: [{ attr: 'start', multiple: 2, extent: 4 }],
      windows: [],
    });
  });

  it('says what is in the way', () => {
    expect(backward(softmax, cut(1))).toMatchObject({ rule: 'basic', axis: 1 });
    expect(backward(merge, cut(1))).toMatchObject({ rule: 'traceability', multiple: 2 });
    expect(backward(split, cut(2))).toMatchObject({
      rule: 'traceability',
      message: expect.stringContaining('interleaved'),
    });
    expect(backward(pattern('1 d -> 1 d', [[1, 2]], [1, 2]), cut(0))).toMatchObject({ rule: 'basic' });
  });
});

describe('forward', () => {
  it('follows labels to the result', () => {
    expect(forward(matmul, 0, cut(1))).toEqual(cut(1));
    expect(forward(matmul, 1, cut(2))).toEqual(cut(2));
    expect(forward(merge, 0, cut(1))).toEqual(cut(1, 2));
    expect(forward(split, 0, cut(1, 2))).toEqual(cut(1));
  });

  it('says what is in the way', () => {
    expect(forward(matmul, 0, cut(2))).toMatchObject({ message: 'axis 2 of operand 1 is contracted' });
    expect(forward(softmax, 0, cut(1))).toMatchObject({ message: 'axis 1 of operand 1 is needed whole' });
    expect(forward(merge, 0, cut(2))).toMatchObject({ rule: 'traceability' });
    expect(forward(split, 0, cut(1))).toMatchObject({ rule: 'traceability', multiple: 2 });
  });
});
