import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

interface Report {
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
}

/** Runs the rules of `.dependency-cruiser.cjs` over `src` of a folder. */
function cruise(folder: string): Report {
  const config = join(root, '.dependency-cruiser.cjs');
  const text = execFileSync(process.execPath, [bin, '--config', config, '--output-type', 'json', 'src'], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(text) as Report;
}

const scratch = mkdtempSync(join(tmpdir(), 'imports-'));
afterAll(() => rmSync(scratch, { recursive: true }));

it('sees the modules of src, and no arrow points the wrong way', () => {
  const { summary } = cruise(root);
  expect(summary.violations).toEqual([]);
  expect(summary.totalCruised).toBeGreaterThan(150);
});

it('catches arrows that point the wrong way, types and dynamic imports included', () => {
  const files = {
    'tsconfig.json': '{}',
    'src/ir/a.ts': `import type { Plan } from '../compiler/x.ts';\nexport type A = Plan;`,
    'src/runtime/b.ts': `export const load = () => import('../ir/a.ts');`,
    'src/dsl/c.ts': `import { x } from '../compiler/x.ts';\nexport const c = x;`,
    'src/cli/d.ts': `import { Project } from 'ts-morph';\nexport const d = Project;`,
    'src/runtime/e.ts': `import { GPU } from 'gpu.js';\nexport const e = GPU;`,
    'src/compiler/x.ts': `export interface Plan {}\nexport const x = 1;`,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(scratch, path, '..'), { recursive: true });
    writeFileSync(join(scratch, path), text);
  }
  const broken = cruise(scratch).summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`);
  expect(broken.sort()).toEqual([
    'src/cli/d.ts: ts-morph-only-in-codegen',
    'src/dsl/c.ts: dsl-and-trace',
    'src/ir/a.ts: ir-depends-on-leaves-only',
    'src/runtime/b.ts: runtime-stands-alone',
    'src/runtime/e.ts: gpu.js-private-parts-in-one-folder',
  ]);
});
