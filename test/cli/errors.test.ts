import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ATTENTION, TOKENS, useCli } from './support.ts';

const cli = useCli();
let before = '';

beforeAll(() => {
  cli.write('attention.ts', ATTENTION);
  cli.write('tokens.ts', TOKENS);
  cli.write('none.ts', 'export const size = 3;\n');
  cli.write('empty.ts', '\n');
  cli.write('syntax.ts', 'export const x = ;\n');
  cli.write('import.ts', `import './missing.ts';\n`);
  cli.write('top.ts', `const x: string | undefined = undefined;\n\nthrow new Error('at the top level');\n`);
  cli.write(
    'throws.ts',
    `import { defineModel, f32 } from 'autochunk';\n\nfunction build(): never {\n  throw new Error('no such layer');\n}\nexport default defineModel('throws', { x: f32('N') }, () => build());\n`,
  );
  cli.write(
    'shapes.ts',
    `import { add, defineModel, f32 } from 'autochunk';\n\nexport default defineModel('shapes', { x: f32('N', 4), y: f32('N', 5) }, ({ x, y }) => {\n  // @ts-expect-error: cannot broadcast\n  return add(x, y);\n});\n`,
  );
  cli.write('notes.txt', 'not a module\n');
  cli.write('folder/file.txt', '\n');
  cli.write('broken.safetensors', new Uint8Array([1, 2, 3]));
  cli.write('ids.json', '[1, 2, 30]');
  cli.write('cut.npy', new Uint8Array([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 200, 0, 32]));
  cli.write('module.ts', 'export const info = { model: 3 };\nexport async function run() {}\n');
  cli.write(
    'foreign.ts',
    `import fs from 'node:fs';\nexport const info = { model: fs };\nexport async function run() {}\n`,
  );
});
beforeEach(() => {
  before = cli.snapshot();
});
afterEach(() => {
  expect(cli.snapshot(), 'a failed command changed files').toBe(before);
});

interface ErrorCase {
  readonly argv: string;
  readonly code: 1 | 2;
  /** Parts of the message, in order. */
  readonly says: readonly string[];
}

const cases: Readonly<Record<string, readonly ErrorCase[]>> = {
  'the command itself': [
    { argv: '', code: 2, says: ['Usage: autochunk'] },
    { argv: 'frobnicate', code: 2, says: ["error: unknown command 'frobnicate'"] },
    { argv: 'compile', code: 2, says: ["error: missing required argument 'model'"] },
    { argv: 'compile attention.ts --frob', code: 2, says: ["error: unknown option '--frob'"] },
    {
      argv: 'compile attention.ts --dims',
      code: 2,
      says: ["error: option '--dims <N=size,…>' argument missing"],
    },
    { argv: 'compile attention.ts extra.ts', code: 2, says: ['error: too many arguments'] },
  ],
  'the model': [
    { argv: 'compile missing.ts --dims N=8', code: 2, says: ['error: there is no file missing.ts'] },
    {
      argv: 'compile folder --dims N=8',
      code: 2,
      says: ['error: folder is a folder, expected a model file'],
    },
    { argv: 'compile notes.txt', code: 2, says: ['error: notes.txt is not a module'] },
    { argv: 'compile none.ts', code: 2, says: ['none.ts exports no model: it exports size', 'defineModel'] },
    { argv: 'compile empty.ts', code: 2, says: ['empty.ts exports no model: it exports nothing'] },
    {
      argv: 'compile tokens.ts#third --dims N=8',
      code: 2,
      says: ['tokens.ts has no export third: its models are first, second'],
    },
    {
      argv: 'compile tokens.ts#notAModel --dims N=8',
      code: 2,
      says: ['tokens.ts#notAModel is not a model: its models are first, second'],
    },
    {
      argv: 'compile tokens.ts --dims N=8',
      code: 2,
      says: ['tokens.ts has several models; say which: tokens.ts#first, tokens.ts#second'],
    },
    {
      argv: 'compile syntax.ts',
      code: 1,
      says: ['syntax.ts cannot be loaded', 'syntax.ts:1:17', 'Unexpected ";"'],
    },
    { argv: 'compile import.ts', code: 1, says: ['import.ts cannot be loaded', 'missing.ts'] },
    { argv: 'compile top.ts', code: 1, says: ['top.ts cannot be loaded: at the top level', 'at top.ts:3:7'] },
    { argv: 'compile throws.ts --dims N=8', code: 1, says: ['no such layer', 'throws.ts:4:9'] },
    {
      argv: 'compile shapes.ts --dims N=8',
      code: 1,
      says: ['add: cannot broadcast [N, 4] with [N, 5]', 'shapes.ts:5:10'],
    },
  ],
  '--dims': [
    {
      argv: 'compile attention.ts',
      code: 2,
      says: ['model attention needs sizes for dimension N: pass for example --dims N=512'],
    },
    {
      argv: 'compile attention.ts --dims N=8 --dims M=4',
      code: 2,
      says: ['model attention has no dimension M: its dimensions are N'],
    },
    {
      argv: 'compile attention.ts --dims N=0',
      code: 2,
      says: ['--dims: N must be a positive integer, got "0"'],
    },
    {
      argv: 'compile attention.ts --dims N=-8',
      code: 2,
      says: ['--dims: N must be a positive integer, got "-8"'],
    },
    {
      argv: 'compile attention.ts --dims N=8.5',
      code: 2,
      says: ['--dims: N must be a positive integer, got "8.5"'],
    },
    {
      argv: 'compile attention.ts --dims N',
      code: 2,
      says: ['--dims: expected name=size such as N=4096, got "N"'],
    },
    {
      argv: 'compile attention.ts --dims N=8,N=9',
      code: 2,
      says: ['--dims: N is given twice, as 8 and as 9'],
    },
  ],
  'budgets, caps, backends and counts': [
    { argv: 'compile attention.ts --dims N=8 --budget 0', code: 2, says: ['budget "0"', '512MiB'] },
    { argv: 'compile attention.ts --dims N=8 --budget -5%', code: 2, says: ['budget "-5%"', '20%'] },
    {
      argv: 'compile attention.ts --dims N=8 --budget 200%',
      code: 2,
      says: ['budget "200%"', 'at most 100%'],
    },
    { argv: 'compile attention.ts --dims N=8 --budget abc', code: 2, says: ['budget "abc"', 'min'] },
    {
      argv: 'compile attention.ts --dims N=256 --budget 1KiB',
      code: 1,
      says: ['budget of 1 KiB (1024 bytes)', 'smallest'],
    },
    {
      argv: 'compile attention.ts --dims N=8 --cap 20%',
      code: 2,
      says: ['--cap: expected bytes such as 128MiB'],
    },
    {
      argv: 'compile attention.ts --dims N=8 --cap x',
      code: 2,
      says: ['--cap: expected bytes such as 128MiB'],
    },
    {
      argv: 'verify attention.ts --threads 0',
      code: 2,
      says: ['--threads: expected an integer from 1 to 256, got "0"'],
    },
    {
      argv: 'run attention.ts --dims N=8 --kernels fast',
      code: 2,
      says: ['--kernels: expected tuned or gpujs, got "fast"'],
    },
    {
      argv: 'compile attention.ts --dims N=8 --backend cuda',
      code: 2,
      says: ['--backend: expected auto, webgpu, webasm, cpu, got "cuda"'],
    },
    { argv: 'verify attention.ts --runs 0', code: 2, says: ['--runs: expected an integer from 1'] },
    { argv: 'verify attention.ts --seed x', code: 2, says: ['--seed: expected an integer from 0'] },
    { argv: 'verify attention.ts --dims M=3', code: 2, says: ['model attention has no dimension M'] },
    {
      argv: 'run attention.ts --dims N=8 --repeat 0',
      code: 2,
      says: ['--repeat: expected an integer from 1'],
    },
    {
      argv: 'run attention.ts --dims N=8 --variant half',
      code: 2,
      says: ['--variant: expected unchunked, chunked'],
    },
  ],
  '--input and --weights': [
    {
      argv: 'run tokens.ts#first --dims N=3 --input tokens=[1,2]',
      code: 1,
      says: ['input tokens: expected shape [3], got [2] from --input tokens'],
    },
    {
      argv: 'run tokens.ts#first --dims N=3 --input tokens=[1,2,1.5]',
      code: 1,
      says: ['input tokens: expected i32, got 1.5 at element 2'],
    },
    {
      argv: 'run tokens.ts#first --dims N=3 --input tokens=ids.json',
      code: 1,
      says: ['input tokens: 30 at element 2 is out of range: ids must be 0 … 9'],
    },
    {
      argv: 'run tokens.ts#first --dims N=3 --input tokens=[-1,2,3]',
      code: 1,
      says: ['input tokens: -1 at element 0 is out of range: ids must be 0 … 9'],
    },
    {
      argv: 'run tokens.ts#first --dims N=3 --input ids=[1,2,3]',
      code: 2,
      says: ['--input: there is no input ids; the inputs are tokens i32[N]'],
    },
    {
      argv: 'run attention.ts --dims N=2 --input x=[[1,2],[3]]',
      code: 2,
      says: ['--input x: rows of different lengths'],
    },
    { argv: 'run attention.ts --dims N=2 --input x=[1,', code: 2, says: ['--input x: not JSON'] },
    {
      argv: 'run attention.ts --dims N=2 --input x=["a"]',
      code: 2,
      says: ['--input x: expected nested arrays of numbers'],
    },
    {
      argv: 'run attention.ts --dims N=2 --input x=gone.npy',
      code: 2,
      says: ['--input x: there is no file gone.npy'],
    },
    {
      argv: 'run attention.ts --dims N=2 --input x=cut.npy',
      code: 1,
      says: ['cut.npy: the header is cut off'],
    },
    {
      argv: 'run attention.ts --dims N=2 --input x=notes.txt',
      code: 2,
      says: ['notes.txt is of no known type'],
    },
    { argv: 'run attention.ts --dims N=2 --input nonsense', code: 2, says: ['--input: expected name=JSON'] },
    {
      argv: 'run attention.ts --dims N=2 --weights broken.safetensors',
      code: 1,
      says: ['broken.safetensors: truncated'],
    },
    {
      argv: 'run attention.ts --dims N=2 --weights gone.safetensors',
      code: 1,
      says: ['there is no file or folder gone.safetensors'],
    },
  ],
  'generated modules': [
    { argv: 'run module.ts', code: 1, says: ['not a generated module'] },
    { argv: 'run foreign.ts', code: 1, says: ["it imports 'node:fs'"] },
  ],
  'places that cannot be written': [
    {
      argv: 'compile attention.ts --dims N=8 --budget 100% --out notes.txt/module.ts',
      code: 1,
      says: ['cannot write notes.txt/module.ts: a part of the path is a file, not a folder'],
    },
    {
      argv: 'compile attention.ts --dims N=8 --budget 100% --out folder',
      code: 1,
      says: ['cannot write folder: it is a folder'],
    },
    {
      argv: 'compile attention.ts --dims N=8 --budget 100% --out /proc/module.ts',
      code: 1,
      says: ['cannot write /proc/module.ts: '],
    },
    {
      argv: 'inspect attention.ts --dims N=8 --html notes.txt/report.html',
      code: 1,
      says: ['cannot write notes.txt/report.html'],
    },
  ],
};

for (const [area, list] of Object.entries(cases)) {
  describe(area, () => {
    it.each(list)('autochunk $argv', async ({ argv, code, says }) => {
      const ran = await cli.run(...argv.split(' ').filter((word) => word !== ''));
      expect(ran.stdout).toBe('');
      let rest = ran.stderr;
      for (const part of says) {
        expect(rest).toContain(part);
        rest = rest.slice(rest.indexOf(part) + part.length);
      }
      expect(ran.code).toBe(code);
      expect(ran.stderr).not.toContain('defect');
    });
  });
}

it('reports faults as one JSON document under --json', async () => {
  const usage = await cli.run('compile', 'attention.ts', '--dims', 'N=0', '--json');
  expect(JSON.parse(usage.stdout)).toEqual({
    error: { kind: 'UserError', message: '--dims: N must be a positive integer, got "0"', exitCode: 2 },
  });
  const option = await cli.run('compile', 'attention.ts', '--nope', '--json');
  expect(JSON.parse(option.stdout)).toEqual({
    error: { kind: 'UsageError', message: "unknown option '--nope'", exitCode: 2 },
  });
  expect([usage.code, option.code]).toEqual([2, 2]);
});

it('names the smallest reachable peak when the budget is below it', async () => {
  const ran = await cli.run('compile', 'attention.ts', '--dims', 'N=256', '--budget', '1KiB', '--json');
  const { error } = JSON.parse(ran.stdout) as { error: Record<string, unknown> };
  expect(error).toMatchObject({ kind: 'BudgetError', exitCode: 1, budgetBytes: 1024 });
  expect(error.smallestPeakBytes).toBeGreaterThan(1024);
});
