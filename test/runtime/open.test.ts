import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { UnsupportedError, UserError } from '../../src/errors.ts';
import { listBackends, openDevice } from '../../src/runtime/open.ts';
import { describe as describeAdapter } from '../../src/runtime/webgpu/adapter.ts';
import { testBackends } from '../support/backends.ts';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url);

/** What a fresh process prints, started where no graphics driver can be found. */
async function withoutDriver(program: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    cwd: root,
    env: { ...process.env, VK_ICD_FILENAMES: '/nonexistent.json', VK_DRIVER_FILES: '/nonexistent.json' },
  });
  return stdout.trim();
}

const adapterInfo = (fields: Partial<GPUAdapterInfo>): GPUAdapterInfo =>
  ({
    vendor: '',
    architecture: '',
    device: '',
    description: '',
    isFallbackAdapter: false,
    ...fields,
  }) as GPUAdapterInfo;

describe('backends', () => {
  it('are listed best first, with an adapter or a reason', async () => {
    const backends = await listBackends();
    expect(backends.map(({ backend }) => backend)).toEqual(['webgpu', 'webasm', 'cpu']);
    for (const { available, adapter, reason } of backends) {
      if (available) expect(adapter).toBeTruthy();
      else expect(reason).toBeTruthy();
    }
  });

  it.each(testBackends)('%s opens when asked for by name and says what it is', async (backend) => {
    const device = await openDevice({ backend });
    expect(device.backend).toBe(backend);
    expect(device.adapter).not.toBe('');
    expect(device.maxStorageBytes).toBeGreaterThan(2 ** 20);
    await device.destroy();
    await device.destroy();
    expect(() => device.alloc([1])).toThrow(/was destroyed/);
  });

  it('auto never chooses a software adapter', async () => {
    const [webgpu] = await listBackends();
    const device = await openDevice();
    const hardware = webgpu?.available === true && webgpu.software === false;
    expect(device.backend).toBe(hardware ? 'webgpu' : 'webasm');
    await device.destroy();
  });

  it('refuses an unknown name', async () => {
    await expect(openDevice({ backend: 'vulkan' as 'cpu' })).rejects.toThrow(UserError);
    await expect(openDevice({ backend: 'vulkan' as 'cpu' })).rejects.toThrow(
      'openDevice: "vulkan" is not a backend. Use auto, webgpu, webasm, cpu.',
    );
  });

  it('tells software adapters from hardware', () => {
    expect(describeAdapter(adapterInfo({ vendor: 'google', architecture: 'swiftshader' }))).toEqual({
      name: 'google swiftshader (software)',
      software: true,
    });
    expect(describeAdapter(adapterInfo({ description: 'llvmpipe (LLVM 15)' })).software).toBe(true);
    expect(describeAdapter(adapterInfo({ description: 'X', isFallbackAdapter: true })).software).toBe(true);
    expect(describeAdapter(adapterInfo({ vendor: 'nvidia', architecture: 'hopper' }))).toEqual({
      name: 'nvidia hopper',
      software: false,
    });
  });

  it('without a driver webgpu is absent, says why, and auto takes webasm', async () => {
    const program = `
      const { listBackends, openDevice } = await import('./src/runtime/open.ts');
      const [webgpu] = await listBackends();
      const failure = await openDevice({ backend: 'webgpu' }).catch((error) => error);
      const device = await openDevice();
      console.log(JSON.stringify([webgpu.available, failure.name, failure.message, device.backend]));
    `;
    const [available, name, message, backend] = JSON.parse(await withoutDriver(program)) as unknown[];
    expect([available, name, backend]).toEqual([false, UnsupportedError.name, 'webasm']);
    expect(message).toMatch(
      /^webgpu is not available: no graphics driver was found\. Install a Vulkan driver/,
    );
  });

  it.each(testBackends)('a process that used %s ends by itself', async (backend) => {
    const program = `
      const { openDevice } = await import('./src/runtime/open.ts');
      const device = await openDevice({ backend: '${backend}' });
      const x = device.upload([1, 2, 3], [3]);
      console.log([...(await device.read(x))].join(' '));
      await device.destroy();
    `;
    const { stdout } = await run(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', program],
      {
        cwd: root,
        timeout: 30_000,
      },
    );
    expect(stdout.trim()).toBe('1 2 3');
  });
});
