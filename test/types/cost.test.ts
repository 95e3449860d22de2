import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(root, 'test/types/.cost-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A GPT-2 with every layer written out, all of different widths, so that no check is reused. */
const model = (layers: number): string => `
import { add, defineModel, gelu, i32, linear, nn, param, permute, reshape, scaledDotProductAttention, split, transpose } from 'autochunk';
export const model = defineModel('gpt2', { tokens: i32('N') }, ({ tokens }) => {
  let x = add(nn.embedding('wte', tokens, [50257, 768]), nn.positions('wpe', 'N', [1024, 768]));
${Array.from(
  { length: layers },
  (_, i) => `  {
    const [q, k, v] = split(nn.linear('c_attn', nn.layerNorm('ln_1', x), 2304), [768, 768, 768], -1);
    const heads = scaledDotProductAttention(
      permute(reshape(q, ['N', 12, 64]), [1, 0, 2]),
      permute(reshape(k, ['N', 12, 64]), [1, 0, 2]),
      permute(reshape(v, ['N', 12, 64]), [1, 0, 2]),
      { causal: true },
    );
    const a = add(x, nn.linear('c_proj', reshape(transpose(heads, 0, 1), ['N', 768]), 768));
    const wide = linear(nn.layerNorm('ln_2', a), param('w', [${3000 + i}, 768]), param('b', [${3000 + i}]));
    x = add(a, nn.linear('c_proj', gelu(wide, 'tanh'), 768));
  }`,
).join('\n')}
  return x;
});
`;

/** Types that tsc instantiates while checking: the same on every machine, unlike time. */
function instantiations(layers: number): number {
  writeFileSync(join(folder, 'model.ts'), model(layers));
  const config = { extends: '../mistakes/tsconfig.json', include: ['model.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const { stdout } = spawnSync(
    'node_modules/.bin/tsc',
    ['-p', folder, '--extendedDiagnostics', '--singleThreaded', '--pretty', 'false'],
    { cwd: root, encoding: 'utf8' },
  );
  expect(stdout).not.toMatch(/^test.*error/m);
  return Number(/Instantiations:\s*(\d+)/.exec(stdout)?.[1]);
}

test('a layer costs the type checker about a millisecond', () => {
  const perLayer = (instantiations(12) - instantiations(1)) / 11;
  expect(perLayer).toBeGreaterThan(0);
  expect(perLayer).toBeLessThan(2500);
});
