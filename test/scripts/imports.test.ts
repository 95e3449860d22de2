import { expect, it } from 'vitest';

const script = new URL('../../scripts/check-imports.mjs', import.meta.url).href;
const { checkImports } = (await import(script)) as {
  checkImports: (files: ReadonlyMap<string, string>) => string[];
};

const check = (files: Readonly<Record<string, string>>): string[] =>
  checkImports(new Map(Object.entries(files)));

it('finds arrows that point the wrong way, in every form of import', () => {
  const found = check({
    'src/ir/a.ts': `import { x } from '../compiler/x.ts';`,
    'src/ir/b.ts': `export type { X } from '../runtime/x.ts';`,
    'src/runtime/c.ts': `const ir = await import('../ir/node.ts');`,
    'src/cli/d.ts': `import { ts } from 'ts-morph';`,
    'src/runtime/e.ts': `let x: import('../dsl/model.ts').Model;`,
    'src/runtime/f.ts': `import { GPU } from 'gpu.js';`,
  });
  expect(found.map((line) => line.replace(/:.*/, ''))).toEqual([
    'src/ir/a.ts imports src/compiler/x.ts',
    'src/ir/b.ts imports src/runtime/x.ts',
    'src/runtime/c.ts imports src/ir/node.ts',
    'src/cli/d.ts imports ts-morph',
    'src/runtime/e.ts imports src/dsl/model.ts',
    'src/runtime/f.ts imports gpu.js',
  ]);
});

it('allows the arrows of the house', () => {
  const found = check({
    'src/compiler/a.ts': `import { x } from '../ir/x.ts';`,
    'src/codegen/b.ts': `import { ts } from 'ts-morph';`,
    'src/runtime/gpujs/c.ts': `import { GPU } from 'gpu.js';`,
    'src/cli/d.ts': `import { x } from '../report/x.ts'; import { y } from '../runtime/index.ts';`,
  });
  expect(found).toEqual([]);
});

it('finds circles of values, and lets types refer to one another', () => {
  const pair = (form: string) => ({
    'src/ir/a.ts': `import ${form} from './b.ts';`,
    'src/ir/b.ts': `import { a } from './a.ts';`,
  });
  expect(check(pair('{ b }'))).toEqual(['circular imports: src/ir/a.ts → src/ir/b.ts → src/ir/a.ts']);
  expect(check(pair('type { B }'))).toEqual([]);
  expect(check(pair('{ type B }'))).toEqual([]);
});
