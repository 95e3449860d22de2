import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ATTENTION, buildDist, root } from '../cli/support.ts';

/** Needs a package registry (or npm's cache), which plain `npm test` must not. */
const wanted = process.env.AUTOCHUNK_PACKAGE_TESTS === '1';

describe.skipIf(!wanted)('the package, installed in an empty folder (set AUTOCHUNK_PACKAGE_TESTS=1)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'autochunk-package-'));
  const npm = (args: readonly string[], cwd: string): string =>
    execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, encoding: 'utf8' });
  const autochunk = (...args: string[]) =>
    spawnSync('npx', ['autochunk', ...args], { cwd: folder, encoding: 'utf8' });

  beforeAll(() => {
    buildDist();
    npm(['pack', '--ignore-scripts', '--pack-destination', folder], root);
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) as string;
    // No "type": the folder is CommonJS, as `npm init` leaves it, and the model is an ES module all the same.
    writeFileSync(join(folder, 'package.json'), '{ "name": "user", "version": "1.0.0", "private": true }\n');
    npm(['install', join(folder, tarball)], folder);
    writeFileSync(join(folder, 'model.ts'), ATTENTION);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('compiles a model of the user', () => {
    const { status, stdout, stderr } = autochunk(
      'compile',
      'model.ts',
      '--dims',
      'N=64',
      '--budget',
      'min',
      '--json',
    );
    expect(stderr).not.toContain('error');
    expect(status).toBe(0);
    const summary = JSON.parse(stdout);
    expect(summary.modulePath).toBe('generated/attention.n64.ts');
    expect(summary.plannedPeakBytes).toBeLessThan(summary.unchunkedPeakBytes);
    expect(readFileSync(join(folder, summary.modulePath), 'utf8')).toContain('model.ts:8');
  });

  it.each(['--module nodenext', '--module esnext --moduleResolution bundler'])(
    'type-checks strictly under %s',
    (module) => {
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      const files = ['model.ts', 'generated/attention.n64.ts'];
      const options = ['--noEmit', '--strict', '--target', 'es2022', ...module.split(' '), ...files];
      const ran = spawnSync(process.execPath, [tsc, ...options], { cwd: folder, encoding: 'utf8' });
      expect(ran.stdout).toBe('');
      expect(ran.status).toBe(0);
    },
  );

  it('runs the model and the generated module with the memory that was planned', () => {
    for (const target of [
      ['model.ts', '--dims', 'N=64', '--budget', 'min'],
      ['generated/attention.n64.ts'],
    ]) {
      const { status, stdout, stderr } = autochunk('run', ...target, '--repeat', '1', '--json');
      expect(status, stderr).toBe(0);
      const { chunked } = JSON.parse(stdout);
      expect(chunked.measuredPeakBytes).toBe(chunked.plannedPeakBytes);
    }
  });

  it('does what the README says', () => {
    const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(
      ([, code]) => code ?? '',
    );
    const model = blocks.find((code) => code.startsWith('// model.ts')) as string;
    const program = blocks.find((code) => code.includes('compileModel')) as string;
    mkdirSync(join(folder, 'readme'));
    writeFileSync(join(folder, 'readme', 'package.json'), '{ "type": "module" }\n');
    writeFileSync(join(folder, 'readme', 'model.ts'), model);
    writeFileSync(join(folder, 'readme', 'program.ts'), program);
    const compiled = autochunk('compile', 'readme/model.ts', '--dims', 'N=4096', '--budget', '20%', '--json');
    expect(compiled.status, compiled.stderr).toBe(0);
    const tsx = join(folder, 'node_modules', 'tsx', 'dist', 'cli.mjs');
    const ran = spawnSync(process.execPath, [tsx, 'readme/program.ts'], { cwd: folder, encoding: 'utf8' });
    expect(ran.stdout, ran.stderr).toMatch(/^(webgpu|webasm) true 65536\n$/);
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const options = [
      '--noEmit',
      '--strict',
      '--target',
      'es2022',
      '--module',
      'nodenext',
      '--lib',
      'es2022,dom',
    ];
    const checked = spawnSync(
      process.execPath,
      [tsc, ...options, '--allowImportingTsExtensions', 'readme/program.ts'],
      { cwd: folder, encoding: 'utf8' },
    );
    expect(checked.stdout).toBe('');
  });

  it('can be imported, with types', () => {
    const script = `
      import { compileModel, defineModel, f32, softmax } from 'autochunk';
      import { openDevice, measure } from 'autochunk/runtime';
      const model = defineModel('m', { x: f32('N', 4) }, ({ x }) => softmax(x, -1));
      const { plan } = await compileModel(model, { dims: { N: 8 }, budget: '100%' });
      const device = await openDevice({ backend: 'cpu' });
      console.log(plan.planned.peakBytes, device.backend, typeof measure);
      await device.destroy();
    `;
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(ran.stderr).toBe('');
    expect(ran.stdout).toMatch(/^\d+ cpu function\n$/);
    for (const entry of ['index', 'runtime/index', 'testing/index', 'weights/index']) {
      const types = join(folder, 'node_modules', 'autochunk', 'dist', `${entry}.d.ts`);
      expect(readFileSync(types, 'utf8').length).toBeGreaterThan(0);
    }
  });
});
