import { describe, expect, test } from 'vitest';
import { GPT2_TINY } from '../../models/gpt2/config.ts';
import { gpt2, gpt2Tiny, weightNames } from '../../models/gpt2/model.ts';
import { compileModel, generate, loadModule, unchunkedPlan } from '../../src/compile.ts';
import * as runtime from '../../src/runtime/index.ts';
import { matchParameters, readSafetensors, type WeightTensor } from '../../src/weights/index.ts';
import { testBackends } from '../support/backends.ts';

const path = new URL('../fixtures/gpt2-tiny.safetensors', import.meta.url).pathname;
const { tensors } = readSafetensors(path);
const fixture = (name: string): WeightTensor => tensors.get(name)!.load();
/** What the fixture allows a float32 implementation. */
const TOLERANCE = 5e-5;

const words = (data: Float32Array): Uint32Array => new Uint32Array(data.buffer, data.byteOffset, data.length);

describe.each(testBackends)('gpt2-tiny on %s', (backend) => {
  test.each(['60%', 'min'])(
    'at a budget of %s: reference logits, unchanged bits, planned peaks',
    async (budget) => {
      const { plan } = await compileModel(gpt2Tiny, { dims: { N: 80 }, budget, backend });
      const weights = matchParameters(plan.program.params, tensors, { ...weightNames, file: path });
      const device = await runtime.openDevice({ backend });
      try {
        const logits: Float32Array[] = [];
        for (const variant of [plan, unchunkedPlan(plan)]) {
          const module = await loadModule(await generate(variant), runtime);
          const params = runtime.loadParameters(device, module.info.params, weights);
          const tokens = device.upload(fixture('input.tokens').data, [80], 'i32');
          const { result, peakBytes } = await runtime.measure(device, () =>
            module.run(device, { tokens }, params),
          );
          expect(peakBytes).toBe(variant.planned.peakBytes);
          logits.push(await device.read(result.logits!));
          for (const tensor of [tokens, result.logits!]) tensor.free();
          expect(device.memory.liveBytes).toBe(0);
        }
        const [chunked, unchunked] = logits as [Float32Array, Float32Array];
        expect(plan.loops.length).toBeGreaterThan(0);
        expect(words(chunked)).toEqual(words(unchunked));
        const reference = fixture('output.logits').data;
        const worst = chunked.reduce((most, x, i) => Math.max(most, Math.abs(x - reference[i]!)), 0);
        expect(worst).toBeLessThan(TOLERANCE);
      } finally {
        await device.destroy();
      }
    },
  );
});

test('the logits of the last position are the last of all', async () => {
  const last = gpt2('gpt2-tiny-last', GPT2_TINY, { logits: 'last' });
  const { plan, source } = await compileModel(last, { dims: { N: 80 }, budget: '100%', backend: 'cpu' });
  const weights = matchParameters(plan.program.params, tensors, { ...weightNames, file: path });
  const device = await runtime.openDevice({ backend: 'cpu' });
  const module = await loadModule(source, runtime);
  const tokens = device.upload(fixture('input.tokens').data, [80], 'i32');
  const { logits } = await module.run(
    device,
    { tokens },
    runtime.loadParameters(device, module.info.params, weights),
  );
  expect(logits!.shape).toEqual([1, 128]);
  const reference = fixture('output.logits').data.subarray(-128);
  const worst = (await device.read(logits!)).reduce(
    (most, x, i) => Math.max(most, Math.abs(x - reference[i]!)),
    0,
  );
  expect(worst).toBeLessThan(TOLERANCE);
  await device.destroy();
});
