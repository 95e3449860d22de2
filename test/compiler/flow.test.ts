import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aligned, backward, type Cut, forward, isObstacle } from '../../src/ir/flow.ts';
import { type AccessPattern, pattern, type Window } from '../../src/ir/pattern.ts';

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

describe('windows', () => {
  const slid = (elements: number, window: Window): { places: number; read: AccessPattern } => {
    const { size, stride, dilation, padding } = window;
    const room = elements + (padding[0] as number) + (padding[1] as number) - dilation * (size - 1) - 1;
    const places = Math.floor(room / stride) + 1;
    return { places, read: pattern('y~ -> y', [[elements]], [places], { windows: { y: window } }) };
  };
  const small = fc.record({
    size: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 4 }),
    dilation: fc.integer({ min: 1, max: 3 }),
    padding: fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: -2, max: 4 })),
  });
  /** Elements of an axis of `length` that a cut gives units start … stop. */
  const covered = ({ multiple, before = 0, after = 0 }: Cut, length: number, start: number, stop: number) => {
    const first = Math.max(0, multiple * start - before);
    return [first, Math.min(length, multiple * stop + after)] as const;
  };

  it('see what a chain of them reads, to the element, and nothing where that is nothing', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(small, { minLength: 1, maxLength: 4 }),
        fc.nat({ max: 99 }),
        fc.nat({ max: 99 }),
        (elements, windows, a, b) => {
          const extents = [elements];
          const patterns: AccessPattern[] = [];
          for (const window of windows) {
            const { places, read } = slid(extents.at(-1) as number, window);
            if (places < 2) return;
            extents.push(places);
            patterns.push(read);
          }
          const units = extents.at(-1) as number;
          const start = a % units;
          const stop = start + 1 + (b % (units - start));
          let cut: Cut = { axis: 0, multiple: 1 };
          let needed = new Set(Array.from({ length: stop - start }, (_, i) => start + i));
          for (let level = windows.length - 1; level >= 0; level--) {
            const { size, stride, dilation, padding } = windows[level] as Window;
            const flow = backward(patterns[level] as AccessPattern, cut);
            const reach = dilation * (size - 1) + 1;
            if (isObstacle(flow)) {
              expect(Math.max(padding[0] as number, padding[1] as number)).toBeGreaterThanOrEqual(reach);
              return;
            }
            cut = flow.operands[0] as Cut;
            const length = extents[level] as number;
            const read = new Set<number>();
            for (const place of needed) {
              for (let tap = 0; tap < size; tap++) {
                const element = place * stride + tap * dilation - (padding[0] as number);
                if (element >= 0 && element < length) read.add(element);
              }
            }
            const [first, end] = covered(cut, length, start, stop);
            expect(first).toBeLessThan(end);
            for (const element of read) expect(element >= first && element < end).toBe(true);
            // Exact at both ends, but for what no window reaches at the end of an axis.
            const last = ((extents[level + 1] as number) - 1) * stride - (padding[0] as number) + reach;
            if (dilation === 1 || size === 1) {
              if (size >= stride || level === windows.length - 1) expect(first).toBe(Math.min(...read));
              expect(Math.min(end, last)).toBe(Math.max(...read) + 1);
            }
            needed = new Set(Array.from({ length: end - first }, (_, i) => first + i));
          }
        },
      ),
      { numRuns: 5000, seed: 9 },
    );
  });

  it('are told where one may see no element at all', () => {
    const { read } = slid(8, { size: 2, stride: 1, dilation: 1, padding: [2, 0] });
    expect(backward(read, cut(0))).toMatchObject({
      rule: 'traceability',
      message: expect.stringContaining('with padding of 2 and 0: a part of it may see no element at all'),
    });
  });

  it('go forward in steps of their stride', () => {
    const { read } = slid(8, { size: 3, stride: 2, dilation: 1, padding: [1, 1] });
    expect(forward(read, 0, cut(0, 2))).toEqual(cut(0));
    expect(forward(read, 0, cut(0, 1))).toMatchObject({ rule: 'traceability', multiple: 2 });
  });

  it('spread what is at a place in steps of their stride', () => {
    const window = { size: 4, stride: 2, dilation: 1, padding: [1, 1] } as const;
    const spread = pattern('y -> y~', [[6]], [12], { windows: { y: window } });
    expect(backward(spread, cut(0, 2))).toMatchObject({
      operands: [{ axis: 0, multiple: 1, before: 1, after: 1 }],
      windows: [{ operand: 0, axis: 0, window, kind: 'spreads' }],
    });
    expect(backward(spread, cut(0, 3))).toMatchObject({
      multiple: 2,
      message: 'axis 0 is made by a window in steps of 2 and can be cut in steps of 2 only, not 3',
    });
    expect(forward(spread, 0, cut(0))).toEqual(cut(0, 2));
  });

  it('widen borders to whole steps of merged axes', () => {
    const merged = pattern('y -> (y copy!)', [[4]], [8], { extents: { copy: 2 } });
    const uneven = { axis: 0, multiple: 2, before: 1, after: 3 };
    expect(backward(merged, uneven)).toMatchObject({ rule: 'traceability' });
    const even = aligned(merged, uneven);
    expect(even).toEqual({ axis: 0, multiple: 2, before: 2, after: 4 });
    expect(backward(merged, even)).toMatchObject({
      operands: [{ axis: 0, multiple: 1, before: 1, after: 2 }],
    });
  });
});
