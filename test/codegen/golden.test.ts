import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { generateModule } from '../../src/codegen/generate.ts';
import { allOps } from '../../src/ir/ops/index.ts';
import { attention, everyOp, mlp, nested, residual, streaming, unchunkedOf } from './support.ts';

const plans = {
  attention: attention(),
  mlp: mlp(),
  'mlp-unchunked': unchunkedOf(mlp()),
  nested: nested(),
  residual: residual(),
  streaming: streaming(),
  'every-op': everyOp(),
};

test('the golden modules call every op there is', () => {
  const source = generateModule(everyOp());
  const callOf: Readonly<Record<string, string>> = { fused: 'k.formula(' };
  const called = (op: string) => source.includes(callOf[op] ?? `k.${op}(`) || source.includes(`.${op}(`);
  expect(allOps().filter(({ name }) => !called(name))).toEqual([]);
});

test.each(Object.entries(plans))('the module of %s looks as it did', async (name, plan) => {
  const source = generateModule(plan, { modelFile: `models/${plan.model}/model.ts` });
  await expect(source).toMatchFileSnapshot(`../golden/${name}.ts`);
});

test('the same plan gives the same bytes', () => {
  expect(generateModule(attention())).toBe(generateModule(attention()));
});

test('golden modules type-check under the strict settings of the project', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
  const run = () =>
    execFileSync(process.execPath, [tsc, '-p', 'test/golden/tsconfig.json'], { cwd: root, encoding: 'utf8' });
  expect(run()).toBe('');
});
