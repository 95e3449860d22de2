import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evalDim, evalShape, mulDims } from '../../src/ir/dims.ts';
import { opDef } from '../../src/ir/ops/index.ts';
import type { AccessPattern } from '../../src/ir/pattern.ts';
import { cuttableLabels, forEachIndex, labelValues } from './access.ts';
import { cut, take } from './support.ts';

const reshape = opDef('reshape');

/** The same factors, in the same order or not, grouped into axes in two ways; one factor may be a named dimension. */
const reshapes = fc
  .record({
    factors: fc.array(fc.constantFrom<number | string>(1, 2, 3, 4, 6, 'N'), { minLength: 1, maxLength: 5 }),
    swap: fc.boolean(),
    cuts: fc.tuple(
      fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    ),
    n: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ factors, swap, cuts, n }) => {
    const group = (list: readonly (number | string)[], ends: readonly boolean[]) => {
      const groups: (number | string)[][] = [];
      list.forEach((factor, i) => {
        const last = groups.at(-1);
        if (last && !ends[i]) last.push(factor);
        else groups.push([factor]);
      });
      return groups.map((axis) => mulDims(1, ...axis));
    };
    const other = swap ? [...factors].reverse() : factors;
    return { from: group(factors, cuts[0]), to: group(other, cuts[1]), bindings: { N: n } };
  });

describe('reshape', () => {
  it('its pattern tells where every element comes from, for any factorisation and symbolic dimensions', () => {
    fc.assert(
      fc.property(reshapes, ({ from, to, bindings }) => {
        const types = [{ shape: from, dtype: 'f32' as const }];
        const out = reshape.infer(types, { shape: to });
        const access = reshape.access?.(types, { shape: to }, out) as AccessPattern;
        const extents = Object.fromEntries(
          Object.entries(access.extents).map(([label, extent]) => [label, evalDim(extent, bindings)]),
        );
        const [source, target] = [evalShape(from, bindings), evalShape(to, bindings)];
        // The labels of an axis multiply to its extent.
        for (const [axes, shape] of [
          [access.operands[0] ?? [], source],
          [access.output, target],
        ] as const) {
          expect(
            axes.map(({ labels }) => labels.reduce((n, label) => n * (extents[label] as number), 1)),
          ).toEqual(shape);
        }
        // Element i of the result is element i of the operand: they agree on every label that both carry.
        const ofOperand: Map<string, number>[] = [];
        forEachIndex(
          source,
          (index) => void ofOperand.push(labelValues(access.operands[0] ?? [], index, extents)),
        );
        forEachIndex(target, (index, flat) => {
          for (const [label, value] of labelValues(access.output, index, extents)) {
            const there = ofOperand[flat]?.get(label);
            if (there === undefined) expect(access.whole).toContain(label);
            else expect(there).toBe(value);
          }
        });
      }),
    );
  });

  it('a part of it is the reshape of a part', () => {
    fc.assert(
      fc.property(reshapes, fc.nat(), ({ from, to, bindings }, seed) => {
        const [shape, target] = [evalShape(from, bindings), evalShape(to, bindings)];
        const types = [{ shape, dtype: 'f32' as const }];
        const attrs = { shape: target };
        const out = reshape.infer(types, attrs);
        const access = reshape.access?.(types, attrs, out) as AccessPattern;
        const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i);
        const operand = { shape, data };
        const drawn = { def: reshape, attrs, types, operands: [operand], out, shape: target, access };
        for (const label of cuttableLabels(access)) {
          const extent = access.extents[label] as number;
          const start = seed % extent;
          const piece = cut(drawn, access, label, start, extent - start);
          const part = take(operand, piece.operands[0]);
          const partTypes = [{ shape: part.shape, dtype: 'f32' as const }];
          expect(reshape.infer(partTypes, piece.attrs).shape).toEqual(piece.shape);
          expect(part.data).toEqual(take({ shape: target, data }, piece.output).data);
        }
      }),
    );
  });
});
