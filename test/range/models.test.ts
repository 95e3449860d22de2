import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evoformerSmall } from '../../models/evoformer/model.ts';
import { gpt2Tiny } from '../../models/gpt2/model.ts';
import { unetSmall } from '../../models/unet/model.ts';
import type { RangeDims } from '../../src/compiler/range/plan-range.ts';
import type { Model } from '../../src/index.ts';
import { type Device, openDevice } from '../../src/runtime/index.ts';
import { RangeSubject } from '../../src/testing/compare-range.ts';
import { trace } from '../../src/trace/tracer.ts';

const CASES: readonly (readonly [
  name: string,
  model: Model,
  dims: RangeDims,
  budget: string,
  sizes: readonly number[],
])[] = [
  ['gpt2, nested loops', gpt2Tiny, { N: { from: 1, to: 32 } }, 'min', [1, 2, 7, 19, 32]],
  ['evoformer over sequences', evoformerSmall, { N_seq: { from: 1, to: 24 }, N_res: 10 }, '40%', [1, 5, 24]],
  ['evoformer over residues', evoformerSmall, { N_seq: 8, N_res: { from: 2, to: 16 } }, 'min', [2, 11, 16]],
  [
    'unet, multiples of the dimension',
    unetSmall,
    { B: 1, W: 2, L: 5, H: { from: 1, to: 8 } },
    '70%',
    [1, 3, 8],
  ],
];

describe.each(CASES)('a module for a range of %s', (_, model, dims, budget, sizes) => {
  let device: Device;
  let subject: RangeSubject;
  beforeAll(async () => {
    device = await openDevice({ backend: 'webasm' });
    subject = await RangeSubject.compile(trace(model), { dims, budget }, device);
  });
  afterAll(() => device.destroy());

  it('has loops, each with a chunk size', () => {
    const { loops, rules } = subject.compilation.plan;
    expect(loops.length).toBeGreaterThan(0);
    expect(rules.flatMap((rule) => rule.loops).sort()).toEqual(loops.map(({ id }) => id).sort());
  });

  it.each(sizes)('gives the results of the unchunked model at %i', async (size) => {
    expect((await subject.check(size, size)).failures).toEqual([]);
  });
});
