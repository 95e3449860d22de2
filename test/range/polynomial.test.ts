import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dominates, linearIn, maximum } from '../../src/compiler/range/polynomial.ts';
import { addDims, type Dim, evalDim, mulDims } from '../../src/ir/dims.ts';

const coefficients = fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 1, maxLength: 4 });
const polynomial = coefficients.map(
  (list): Dim => addDims(...list.map((c, power) => mulDims(c, ...Array.from({ length: power }, () => 'N')))),
);

describe('the largest value of a dimension over an interval', () => {
  it('is the one that trying all integers finds', () => {
    fc.assert(
      fc.property(polynomial, fc.integer({ min: 1, max: 30 }), fc.nat({ max: 60 }), (dim, from, more) => {
        const values = Array.from({ length: more + 1 }, (_, i) => evalDim(dim, { N: from + i }));
        expect(maximum(dim, { name: 'N', from, to: from + more })).toBe(Math.max(...values));
      }),
    );
  });

  it('is found inside, and over long intervals', () => {
    expect(maximum('-N*N+1000*N', { name: 'N', from: 1, to: 2 ** 24 })).toBe(250_000);
    expect(maximum('4*N*N+12*N', { name: 'N', from: 1, to: 2 ** 20 })).toBe(4 * 2 ** 40 + 12 * 2 ** 20);
  });
});

describe('dominates', () => {
  it('never claims what is not so', () => {
    fc.assert(
      fc.property(polynomial, polynomial, fc.integer({ min: 1, max: 20 }), (a, b, from) => {
        if (!dominates(a, b, { N: from })) return;
        for (let n = from; n < from + 50; n++)
          expect(evalDim(a, { N: n })).toBeGreaterThanOrEqual(evalDim(b, { N: n }));
      }),
    );
  });

  it('knows what is larger from the lower bounds on', () => {
    expect(dominates('4*N*c', '4*N', { N: 1, c: 1 })).toBe(true);
    expect(dominates('N*N', '10*N', { N: 10 })).toBe(true);
    expect(dominates('N*N', '10*N', { N: 1 })).toBe(false);
  });
});

describe('linearIn', () => {
  it('takes a dimension apart', () => {
    expect(linearIn('8*N*c+4*N+16*c', 'c')).toEqual({ fixed: '4*N', each: '8*N+16' });
    expect(linearIn('4*N', 'c')).toEqual({ fixed: '4*N', each: 0 });
  });

  it('refuses what is not linear', () => {
    expect(linearIn('c*c+1', 'c')).toBeUndefined();
  });
});
