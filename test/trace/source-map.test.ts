import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('names and places are those of the TypeScript source, not of the code that runs', () => {
  const file = 'test/trace/fixtures/mapped-model.ts';
  const output = execFileSync(process.execPath, ['--import', 'tsx', file], { cwd: root, encoding: 'utf8' });
  expect(JSON.parse(output)).toMatchInlineSnapshot(`
    {
      "at": {
        "column": 16,
        "file": "test/trace/fixtures/mapped-model.ts",
        "line": 9,
      },
      "messages": [
        "matmul: contracted extents differ: [N, 4] · [N, 4]
      at test/trace/fixtures/mapped-model.ts:18:10",
        "model failing failed: TypeError: Cannot read properties of undefined (reading 'width')
      at test/trace/fixtures/mapped-model.ts:23:24",
      ],
      "nodes": [
        "permute test/trace/fixtures/mapped-model.ts:11:28",
        "scores test/trace/fixtures/mapped-model.ts:11:18",
        "shifted test/trace/fixtures/mapped-model.ts:12:39",
        "matmul test/trace/fixtures/mapped-model.ts:13:28",
        "proj test/trace/fixtures/mapped-model.ts:13:13",
      ],
    }
  `);
});
