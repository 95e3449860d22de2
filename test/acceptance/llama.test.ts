import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stories260K } from '../../models/llama/model.ts';
import { readStories260K, weightNames } from '../../models/llama/weights.ts';
import { loadModule } from '../../src/codegen/load.ts';
import { type Compilation, compileModel, generate, unchunkedPlan } from '../../src/compile.ts';
import { BudgetError } from '../../src/compiler/budget.ts';
import * as runtime from '../../src/runtime/index.ts';
import { matchParameters } from '../../src/weights/index.ts';
import { testBackends } from '../support/backends.ts';

const LENGTHS = [64, 257, 512];
const BUDGETS = ['50%', '40%', '20%', '10%', 'min'];
/** Fixtures' README: suggested absolute tolerance of a float32 implementation. */
const TOLERANCE = 2e-4;

const data = readStories260K();

interface Run {
  readonly logits: Float32Array;
  readonly peakBytes: number;
}

describe.each(testBackends)('the trained stories260K on %s', (backend) => {
  let device: runtime.Device;
  beforeAll(async () => {
    device = await runtime.openDevice({ backend });
  });
  afterAll(() => device.destroy());

  /** Runs the text of a generated module on the story's tokens, repeated to the length of the module. */
  async function run(source: string): Promise<Run> {
    const module = loadModule<runtime.Device, runtime.Tensor>(source, runtime);
    const weights = matchParameters(Object.values(module.info.params), data.weights.tensors, {
      ...weightNames,
      file: data.weights.file,
    });
    const params = runtime.loadParameters(device, module.info.params, weights);
    const length = module.info.dims.N as number;
    const ids = Array.from({ length }, (_, i) => data.storyTokens[i % data.storyTokens.length] as number);
    const tokens = device.upload(ids, [length], 'i32');
    const { result, peakBytes } = await runtime.measure(device, () => module.run(device, { tokens }, params));
    const logits = await device.read(result.logits as runtime.Tensor);
    for (const tensor of [tokens, ...Object.values(result), ...Object.values(params)]) tensor.free();
    expect(device.memory.liveBytes).toBe(0);
    expect(device.memory.parameterBytes).toBe(0);
    return { logits, peakBytes };
  }

  describe.each(LENGTHS)('N = %i', (N) => {
    let whole: Run;
    let unchunkedPeak: number;
    beforeAll(async () => {
      const { plan } = await compileModel(stories260K, { dims: { N }, budget: '100%', backend });
      expect(plan.loops).toEqual([]);
      unchunkedPeak = plan.unchunked.peakBytes;
      whole = await run(await generate(unchunkedPlan(plan)));
      expect(whole.peakBytes).toBe(unchunkedPeak);
    });

    it('agrees with the original implementation', () => {
      const vocabulary = 512;
      const positions = Math.min(N, data.storyTokens.length);
      let worst = 0;
      for (let i = 0; i < positions * vocabulary; i++) {
        const difference = Math.abs((whole.logits[i] as number) - (data.referenceLogits[i] as number));
        worst = Math.max(worst, difference);
      }
      expect(worst).toBeLessThanOrEqual(TOLERANCE);
    });

    it.each(BUDGETS)('keeps both promises at %s', async (budget) => {
      let compilation: Compilation;
      try {
        compilation = await compileModel(stories260K, { dims: { N }, budget, backend });
      } catch (error) {
        // The logits alone, N × 512, are the larger part of a short pass: a refusal must say what is reachable.
        expect(error).toBeInstanceOf(BudgetError);
        const { message, smallestPeakBytes, budgetBytes } = error as BudgetError;
        expect(smallestPeakBytes).toBeGreaterThan(budgetBytes);
        expect(message).toContain('logits');
        const { plan } = await compileModel(stories260K, { dims: { N }, budget: 'min', backend });
        expect(plan.planned.peakBytes).toBe(smallestPeakBytes);
        return;
      }
      const { plan, source } = compilation;
      const chunked = await run(source);
      expect(chunked.peakBytes).toBe(plan.planned.peakBytes);
      expect(plan.planned.peakBytes).toBeLessThanOrEqual(plan.budgetBytes);
      expect(Buffer.from(chunked.logits.buffer).equals(Buffer.from(whole.logits.buffer))).toBe(true);
      if (budget === 'min' && N === 512)
        expect(plan.planned.peakBytes).toBeLessThanOrEqual(0.12 * unchunkedPeak);
    });
  });
});
