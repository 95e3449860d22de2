import { abs, defineModel, f32, neg } from 'autochunk';
import { describe, expect, it } from 'vitest';
import { indexGraph } from '../../src/compiler/graph/graph-index.ts';
import { areConvexTogether } from '../../src/compiler/loops/convex.ts';
import { arrange, type Region } from '../../src/compiler/loops/region.ts';
import { trace } from '../../src/trace/tracer.ts';

const model = defineModel('round', { x: f32('N'), y: f32('N'), z: f32('N') }, ({ x, y, z }) => {
  const a = neg(x);
  const b = neg(y);
  const c = neg(z);
  const afterA = abs(a);
  const afterB = abs(b);
  const afterC = abs(c);
  return { afterA, afterB, afterC };
});

const index = indexGraph(trace(model));

const region = (...ids: string[]): Region => ({
  cuts: new Map(ids.map((id) => [id, { axis: 0, multiple: 1 }])),
  extent: 4,
});

describe('regions that are convex one by one', () => {
  const regions = [region('a', 'afterC'), region('b', 'afterA'), region('c', 'afterB')] as const;
  const [first, second, third] = regions;

  it('can all be loops where none waits for one that waits for it', () => {
    for (const one of regions) expect(arrange(index, one)).toBeDefined();
    expect(areConvexTogether(index, [first, second])).toBe(true);
    expect(areConvexTogether(index, [second, third])).toBe(true);
    expect(areConvexTogether(index, [third, first])).toBe(true);
    expect(
      areConvexTogether(index, [region('a', 'b'), region('afterA', 'afterB'), region('c', 'afterC')]),
    ).toBe(true);
  });

  it('cannot where two or three wait for each other', () => {
    expect(areConvexTogether(index, [region('a', 'afterB'), region('b', 'afterA')])).toBe(false);
    expect(areConvexTogether(index, regions)).toBe(false);
  });
});
