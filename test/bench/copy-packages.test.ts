import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const { copyPackages } = (await import(
  /* @vite-ignore */ new URL('../../bench/pack/copy-packages.mjs', import.meta.url).href
)) as { copyPackages(from: string, to: string, wanted: (name: string) => boolean): void };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'autochunk-packages-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

it('copies what is depended on, as it is nested, without types, maps and packages that nobody wants', () => {
  const packages = {
    '': { dependencies: { a: '1', unwanted: '1' } },
    'node_modules/a': { dependencies: { b: '2', missing: '1' } },
    'node_modules/a/node_modules/b': {},
    'node_modules/b': {},
    'node_modules/unwanted': {},
    'node_modules/webgpu': {},
  };
  write('from/package-lock.json', JSON.stringify({ packages }));
  for (const path of Object.keys(packages)) if (path !== '') write(`from/${path}/index.js`, path);
  write('from/node_modules/a/index.d.ts', 'export {};');
  write('from/node_modules/a/index.js.map', '{}');
  copyPackages(join(folder, 'from'), join(folder, 'to'), (name) => name !== 'unwanted');
  const at = (path: string): string => join(folder, 'to', 'node_modules', path);
  expect(readFileSync(at('a/index.js'), 'utf8')).toBe('node_modules/a');
  expect(readFileSync(at('a/node_modules/b/index.js'), 'utf8')).toBe('node_modules/a/node_modules/b');
  const absent = ['b', 'unwanted', 'webgpu', 'a/index.d.ts', 'a/index.js.map'];
  expect(absent.filter((path) => existsSync(at(path)))).toEqual([]);
});

it('takes of large packages the files that are used', () => {
  write(
    'from/package-lock.json',
    JSON.stringify({
      packages: { '': { dependencies: { webgpu: '1' } }, 'node_modules/webgpu': {} },
    }),
  );
  for (const file of ['index.js', 'package.json', 'dist/linux-x64/dawn.node', 'dist/win32-x64/dawn.node'])
    write(`from/node_modules/webgpu/${file}`, file);
  copyPackages(join(folder, 'from'), join(folder, 'to'), () => true);
  const at = (path: string): boolean => existsSync(join(folder, 'to/node_modules/webgpu', path));
  expect(['index.js', 'package.json', 'dist/linux-x64/dawn.node'].every(at)).toBe(true);
  expect(at('dist/win32-x64/dawn.node')).toBe(false);
});
