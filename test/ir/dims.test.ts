import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addDims,
  canonicalDim,
  type Dim,
  dimNames,
  divDims,
  evalDim,
  mulDims,
  subDims,
  substituteDim,
} from '../../src/ir/dims.ts';

const names = ['N', 'M', 'batch_1'];
const dim: fc.Arbitrary<Dim> = fc.letrec<{ dim: Dim }>((tie) => ({
  dim: fc.oneof(
    { maxDepth: 3 },
    fc.integer({ min: -9, max: 99 }),
    fc.constantFrom(...names),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => addDims(a, b)),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => mulDims(a, b)),
  ),
})).dim;
const bindings = fc.record({
  N: fc.integer({ min: -20, max: 20 }),
  M: fc.integer({ min: -20, max: 20 }),
  batch_1: fc.integer({ min: -20, max: 20 }),
});

describe('dims', () => {
  it('prints canonically', () => {
    expect(canonicalDim('1 + N')).toBe('N+1');
    expect(canonicalDim('N*2*M - 3')).toBe('2*M*N-3');
    expect(addDims('N', 'N')).toBe('2*N');
    expect(subDims('N', 'N')).toBe(0);
    expect(mulDims('N', 8, 'M')).toBe('8*M*N');
    expect(mulDims(addDims('N', 1), addDims('N', -1))).toBe('N*N-1');
    expect(mulDims(-1, 0)).toBe(0);
    expect(divDims('8*N', 'N')).toBe(8);
    expect(divDims('8*N+4', 4)).toBe('2*N+1');
    expect(divDims('8*N+1', 4)).toBeUndefined();
    expect(divDims('N', 'M')).toBeUndefined();
    expect(dimNames('2*M*N-3')).toEqual(['M', 'N']);
    expect(() => evalDim('N+1', {})).toThrow('dimension N is not bound');
    expect(() => canonicalDim('N/2')).toThrow('not a dimension: "N/2"');
  });

  it('is a ring under evaluation, and equal polynomials have equal text', () => {
    fc.assert(
      fc.property(dim, dim, dim, bindings, (a, b, c, at) => {
        expect(evalDim(addDims(a, b), at)).toBe(evalDim(a, at) + evalDim(b, at));
        expect(evalDim(mulDims(a, b), at)).toBe(evalDim(a, at) * evalDim(b, at) + 0);
        expect(addDims(a, b)).toBe(addDims(b, a));
        expect(mulDims(a, addDims(b, c))).toBe(addDims(mulDims(a, b), mulDims(a, c)));
        expect(canonicalDim(a)).toBe(a);
      }),
    );
  });

  it('substitutes and divides exactly', () => {
    fc.assert(
      fc.property(dim, dim, bindings, (a, b, at) => {
        expect(evalDim(substituteDim(a, { N: b }), at)).toBe(evalDim(a, { ...at, N: evalDim(b, at) }) + 0);
        for (const divisor of ['N', 3, '2*M'] as const) {
          expect(divDims(mulDims(a, divisor), divisor)).toBe(a);
        }
      }),
    );
  });
});
