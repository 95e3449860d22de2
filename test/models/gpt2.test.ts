import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GPT2_TINY } from '../../models/gpt2/config.ts';
import { gpt2, gpt2Tiny, weightNames } from '../../models/gpt2/model.ts';
import { compileModel } from '../../src/compile.ts';
import * as runtime from '../../src/runtime/index.ts';
import { testBackends } from '../support/backends.ts';
import { bits, maxDifference, openFixture, planOrRefusal, runOn, unchunkedPlan } from './vision.ts';

const fixture = openFixture('gpt2-tiny.safetensors');
const inputs = { tokens: fixture.tensor('input.tokens') };
const reference = fixture.tensor('output.logits').data;
/** What the fixture allows a float32 implementation. */
const TOLERANCE = 5e-5;
const VOCABULARY = 128;

const variants = [
  { name: 'logits of all positions', model: gpt2Tiny, expected: reference },
  {
    name: 'logits of the last position',
    model: gpt2('gpt2-tiny-last', GPT2_TINY, { logits: 'last' }),
    expected: reference.subarray(-VOCABULARY),
  },
];

describe.each(testBackends)('gpt2-tiny on %s', (backend) => {
  let device: runtime.Device;
  beforeAll(async () => {
    device = await runtime.openDevice({ backend });
  });
  afterAll(() => device.destroy());

  describe.each(variants)('$name', ({ model, expected }) => {
    let whole: Float32Array;
    beforeAll(async () => {
      const { plan } = await compileModel(model, { dims: { N: 80 }, budget: '100%', backend });
      expect(plan.loops).toEqual([]);
      const run = await runOn(device, unchunkedPlan(plan), fixture, inputs, weightNames);
      expect(run.peakBytes).toBe(plan.unchunked.peakBytes);
      whole = run.outputs.logits as Float32Array;
    });

    test('agrees with the original implementation', () => {
      expect(maxDifference(whole, expected)).toBeLessThan(TOLERANCE);
    });

    test.each(['50%', '20%', 'min'])('at %s: unchanged bits, exactly the planned peak', async (budget) => {
      const { plan } = await planOrRefusal(model, { N: 80 }, budget, backend);
      expect(plan.loops.length).toBeGreaterThan(0);
      const run = await runOn(device, plan, fixture, inputs, weightNames);
      expect(run.peakBytes).toBe(plan.planned.peakBytes);
      expect(bits(run.outputs.logits as Float32Array)).toEqual(bits(whole));
    });
  });
});
