import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModule } from '../../src/codegen/load.ts';
import { compileModel } from '../../src/compile.ts';
import { add, defineModel, f32, gelu, matmul, nn, softmax, transpose } from '../../src/index.ts';
import * as runtime from '../../src/runtime/index.ts';
import { testBackends } from '../support/backends.ts';

const N = 96;
const model = defineModel('block', { x: f32('N', 16) }, ({ x }) => {
  const h = nn.layerNorm('norm', x);
  const weights = softmax(matmul(nn.linear('q', h, 16), transpose(nn.linear('k', h, 16), 0, 1)), -1);
  const y = add(x, nn.linear('out', matmul(weights, nn.linear('v', h, 16)), 16));
  return { y: add(y, nn.linear('down', gelu(nn.linear('up', nn.layerNorm('norm2', y), 64)), 16)) };
});

interface Created {
  buffers: number;
  bindGroups: number;
}

/** Counts what the devices of this process create. */
async function watch(): Promise<{ created: Created; stop: () => void }> {
  const { globals } = (await import('webgpu')) as unknown as {
    globals: { GPUDevice: { prototype: GPUDevice } };
  };
  const { prototype } = globals.GPUDevice;
  const { createBuffer, createBindGroup } = prototype;
  const created = { buffers: 0, bindGroups: 0 };
  prototype.createBuffer = function (...given) {
    created.buffers++;
    return createBuffer.apply(this, given);
  };
  prototype.createBindGroup = function (...given) {
    created.bindGroups++;
    return createBindGroup.apply(this, given);
  };
  return { created, stop: () => void Object.assign(prototype, { createBuffer, createBindGroup }) };
}

describe.runIf(testBackends.includes('webgpu'))('warm chunk loops on webgpu', () => {
  let watched: Awaited<ReturnType<typeof watch>>;
  beforeAll(async () => {
    watched = await watch();
  });
  afterAll(() => watched.stop());

  it.each(['tuned', 'gpujs'] as const)('create no buffer and no bind group: %s', async (kernels) => {
    const { source } = await compileModel(model, { dims: { N }, budget: '30%', backend: 'webgpu' });
    const module = loadModule<runtime.Device, runtime.Tensor>(source, runtime);
    const device = await runtime.openDevice({ backend: 'webgpu', kernels });
    const weights = new Map(
      Object.values(module.info.params).map(({ key, shape }) => {
        const count = shape.reduce((a, b) => a * b, 1);
        return [key, { shape, data: Array.from({ length: count }, (_, i) => Math.sin(i)) }];
      }),
    );
    const params = runtime.loadParameters(device, module.info.params, weights);
    const x = device.upload(
      Array.from({ length: N * 16 }, (_, i) => Math.cos(i)),
      [N, 16],
    );
    // What was created when each iteration began, by loop.
    const begun = new Map<string, Created[]>();
    const onProgress = ({ loop }: runtime.RunProgress): void => {
      if (!loop) return;
      const seen = begun.get(loop.id) ?? [];
      begun.set(loop.id, seen);
      seen.push({ ...watched.created });
    };
    const { y } = (await module.run(device, { x }, params, { onProgress })) as { y: runtime.Tensor };
    await device.flush();
    let warm = 0;
    for (const [id, seen] of begun) {
      // The first iteration makes what is missing; the last one may be shorter. The one before it ends where it begins.
      for (let i = 2; i < seen.length; i++, warm++) {
        expect(seen[i], `${id}, iteration ${i - 1}`).toEqual(seen[i - 1]);
      }
    }
    expect(warm).toBeGreaterThan(5);
    // In a second run everything is there.
    y.free();
    const before = { ...watched.created };
    const again = (await module.run(device, { x }, params)) as { y: runtime.Tensor };
    await device.flush();
    expect(watched.created).toEqual(before);
    again.y.free();
    await device.destroy();
  });
});
