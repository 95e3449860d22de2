import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  contiguous,
  elementCount,
  expandLayout,
  foldAxes,
  isContiguous,
  type Layout,
  permuteLayout,
  reshapeLayout,
  sliceLayout,
} from '../../src/layout/layout.ts';

/** Storage positions of all elements in row-major order of the layout's shape. */
function positions(layout: Layout): number[] {
  let result = [layout.offset];
  layout.shape.forEach((extent, axis) => {
    result = result.flatMap((at) =>
      Array.from({ length: extent }, (_, i) => at + i * (layout.strides[axis] as number)),
    );
  });
  return result;
}

const shape = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 0, maxLength: 4 });
/** A layout reached by random slices, permutations and broadcasts from a contiguous one. */
const layout = fc.tuple(shape, fc.infiniteStream(fc.nat())).map(([dims, random]) => {
  const next = (bound: number): number => (random.next().value as number) % bound;
  let current = contiguous(dims);
  for (let step = next(4); step > 0 && dims.length > 0; step--) {
    const axis = next(current.shape.length);
    const extent = current.shape[axis] as number;
    const move = next(3);
    if (move === 0) {
      const start = next(extent);
      current = sliceLayout(current, axis, start, start + 1 + next(extent - start));
    } else if (move === 1 && extent === 1) {
      const wide = [...current.shape];
      wide[axis] = 3;
      current = expandLayout(current, wide) as Layout;
    } else {
      const axes = current.shape.map((_, i) => i);
      axes.push(...axes.splice(axis, 1));
      current = permuteLayout(current, axes);
    }
  }
  return current;
});

describe('layouts', () => {
  it('lays out row-major', () => {
    expect(contiguous([2, 3, 4])).toEqual({ shape: [2, 3, 4], strides: [12, 4, 1], offset: 0 });
    expect(isContiguous(permuteLayout(contiguous([2, 3]), [1, 0]))).toBe(false);
    expect(expandLayout(contiguous([3]), [2, 4])).toBeUndefined();
  });

  it('reshapes to the same elements in the same order, or not at all', () => {
    fc.assert(
      fc.property(layout, fc.nat(), (source, seed) => {
        const count = elementCount(source.shape);
        const divisors = Array.from({ length: count }, (_, i) => i + 1).filter((d) => count % d === 0);
        const first = divisors[seed % divisors.length] as number;
        for (const target of [[count], [first, count / first], [1, first, 1, count / first]]) {
          const reshaped = reshapeLayout(source, target);
          if (reshaped) expect(positions(reshaped)).toEqual(positions(source));
          else expect(isContiguous(source)).toBe(false);
        }
        expect(reshapeLayout(source, source.shape)).toBeDefined();
      }),
    );
  });

  it('folds neighbouring axes without changing what is addressed', () => {
    fc.assert(
      fc.property(layout, (source) => {
        const other = contiguous(source.shape);
        for (const keepLast of [0, 1, 2].filter((n) => n <= source.shape.length)) {
          const [a, b] = foldAxes([source, other], keepLast) as [Layout, Layout];
          expect(positions(a)).toEqual(positions(source));
          expect(positions(b)).toEqual(positions(other));
          expect(a.shape.slice(a.shape.length - keepLast)).toEqual(
            source.shape.slice(source.shape.length - keepLast),
          );
        }
      }),
    );
  });
});
