import { describe, expect, it } from 'vitest';
import { generateModule } from '../../src/codegen/generate.ts';
import { loadModule } from '../../src/codegen/load.ts';
import { compileModel } from '../../src/compile.ts';
import { defineModel, f32, matmul, nn, softmax, transpose } from '../../src/index.ts';
import * as runtime from '../../src/runtime/index.ts';
import { attention } from '../codegen/support.ts';
import { testBackends } from '../support/backends.ts';

const N = 64;
const model = defineModel('attention', { x: f32('N', 16, { donated: true }) }, ({ x }) => {
  const weights = softmax(matmul(nn.linear('q', x, 16), transpose(nn.linear('k', x, 16), 0, 1)), -1);
  return { y: matmul(weights, nn.linear('v', x, 16)) };
});
const { source, plan } = await compileModel(model, { dims: { N }, budget: '40%', backend: 'webasm' });
const module = loadModule<runtime.Device, runtime.Tensor>(source, runtime);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => Math.sin(i));

async function open(backend: runtime.BackendName) {
  const device = await runtime.openDevice({ backend });
  const weights = new Map(
    Object.values(module.info.params).map(({ key, shape }) => [
      key,
      { shape, data: numbers(shape.reduce((a, b) => a * b, 1)) },
    ]),
  );
  const params = runtime.loadParameters(device, module.info.params, weights);
  const run = async (options?: runtime.RunOptions): Promise<number[]> => {
    const x = device.upload(numbers(N * 16), [N, 16]);
    const { y } = (await module.run(device, { x }, params, options)) as { y: runtime.Tensor };
    const values = [...(await device.read(y))];
    y.free();
    return values;
  };
  return { device, params, run };
}

describe.each(testBackends)('a run on %s', (backend) => {
  it('tells of every section and iteration', async () => {
    const { device, run } = await open(backend);
    const seen: runtime.RunProgress[] = [];
    const values = await run({ onProgress: (progress) => void seen.push(progress) });
    expect(values).toEqual(await run());
    const [loop] = plan.loops;
    const steps = seen.flatMap((progress) => (progress.loop?.id === loop?.id ? [progress.loop] : []));
    expect(steps.map((step) => step?.done)).toEqual(
      Array.from({ length: loop?.chunks ?? 0 }, (_, i) => i * (loop?.chunkSize ?? 0)),
    );
    expect(new Set(steps.map((step) => step?.of))).toEqual(new Set([loop?.extent]));
    await device.destroy();
  });

  it('ends at an aborted signal: everything is freed, donated inputs too, and the device goes on', async () => {
    const { device, run } = await open(backend);
    const expected = await run();
    const reserved = device.memory.reservedBytes;
    for (let stopAt = 0; stopAt < 4; stopAt++) {
      const controller = new AbortController();
      let steps = 0;
      const onProgress = (): void => {
        if (steps++ === stopAt) controller.abort(new Error('enough'));
      };
      await expect(run({ signal: controller.signal, onProgress })).rejects.toThrow('enough');
      expect(device.memory.liveBytes).toBe(0);
    }
    await expect(run({ signal: AbortSignal.abort(new Error('never')) })).rejects.toThrow('never');
    expect(device.memory.liveBytes).toBe(0);
    expect(await run({ signal: new AbortController().signal })).toEqual(expected);
    expect(device.memory.reservedBytes).toBe(reserved);
    await device.destroy();
  });

  it('sees a signal that something else of the process aborts meanwhile', async () => {
    const { device, run } = await open(backend);
    const controller = new AbortController();
    let waited = false;
    const onProgress = (): void => {
      if (waited) return;
      waited = true;
      setImmediate(() => controller.abort());
      // As long as a large kernel takes.
      for (const from = performance.now(); performance.now() - from < 80; );
    };
    await expect(run({ signal: controller.signal, onProgress })).rejects.toThrow(/abort/i);
    expect(device.memory.liveBytes).toBe(0);
    await device.destroy();
  });

  it('leaves nothing behind when it fails', async () => {
    const { device, params } = await open(backend);
    const x = device.upload(numbers(N * 8), [N, 8]);
    await expect(module.run(device, { x }, params)).rejects.toThrow();
    expect(device.memory.liveBytes).toBe(0);
    await device.destroy();
  });

  it('may go on beside another one of the same device', async () => {
    const { device, run } = await open(backend);
    const expected = await run();
    const options = { onProgress: () => {} };
    expect(await Promise.all([run(options), run(options), run()])).toEqual([expected, expected, expected]);
    expect(device.memory.liveBytes).toBe(0);
    await device.destroy();
  });
});

it('a module says where it is before it computes', () => {
  const text = generateModule(attention());
  expect(text).toContain("await device.enter('h.attn');");
  expect(text).toContain("await device.step('loop1', n0, 40);");
});
