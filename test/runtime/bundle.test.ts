import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testBackends } from '../support/backends.ts';
import { main } from './bundle-entry.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('a minified bundle', () => {
  let folder: string;
  let bundled: typeof main;
  beforeAll(async () => {
    const cache = join(root, 'node_modules', '.cache');
    await mkdir(cache, { recursive: true });
    folder = await mkdtemp(join(cache, 'bundle-'));
    await build({
      configFile: false,
      logLevel: 'silent',
      root,
      build: {
        outDir: folder,
        emptyOutDir: true,
        minify: true,
        lib: {
          entry: join(root, 'test/runtime/bundle-entry.ts'),
          formats: ['es'],
          fileName: () => 'bundle.mjs',
        },
      },
    });
    const url = pathToFileURL(join(folder, 'bundle.mjs')).href;
    ({ main: bundled } = (await import(/* @vite-ignore */ url)) as { main: typeof main });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(testBackends)('computes the same on %s as the sources', async (backend) => {
    expect(await bundled(backend)).toEqual(await main(backend));
  });
});
