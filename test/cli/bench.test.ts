import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { quantile } from '../../src/cli/bench-model.ts';
import { isModel, planGraph, trace } from '../../src/index.ts';
import { type BenchReport, benchMarkdown, describeBench } from '../../src/report/bench.ts';
import { ATTENTION, root, TOKENS, useCli } from './support.ts';

const cli = useCli();

beforeAll(() => {
  cli.write('attention.ts', ATTENTION);
  cli.write('tokens.ts', TOKENS);
});

const bench = async (...argv: string[]) => {
  const ran = await cli.run('bench', ...argv, '--rounds', '1', '--backend', 'webasm', '--json');
  expect(ran.stderr).not.toContain('error:');
  expect(ran.code).toBe(0);
  return JSON.parse(ran.stdout);
};

describe('bench', () => {
  it('runs models within budgets, and says what each took and whether it stayed the same', async () => {
    const argv = ['attention.ts', 'tokens.ts#first', '--dims', 'N=128', '--budget', '60%,1KiB'];
    const report = await bench(...argv);
    expect(report).toMatchObject({
      command: `autochunk bench ${argv.join(' ')} --backend webasm --kernels tuned --rounds 1 --seed 1`,
      rounds: 1,
      seed: 1,
      note: null,
    });
    expect(Object.keys(report)).toEqual(['date', 'command', 'machine', 'note', 'rounds', 'seed', 'results']);
    expect(report.machine.cores).toBeGreaterThan(0);
    const names = report.results.map((result: { model: string; budget: string }) => [
      result.model,
      result.budget,
    ]);
    expect(names).toEqual([
      ['attention', '60%'],
      ['attention', '1KiB'],
      ['first', '60%'],
      ['first', '1KiB'],
    ]);

    const [within, refused] = report.results;
    expect(within).toMatchObject({
      reference: 'attention.ts',
      dims: { N: 128 },
      backend: 'webasm',
      adapter: 'WebAssembly SIMD',
    });
    expect(within.plannedPeakBytes).toBeLessThanOrEqual(0.6 * within.unchunkedPeakBytes);
    expect(within.peakShare).toBe(within.plannedPeakBytes / within.unchunkedPeakBytes);
    for (const [variant, peak] of [
      [within.unchunked, within.unchunkedPeakBytes],
      [within.chunked, within.plannedPeakBytes],
    ]) {
      expect(variant).toMatchObject({ plannedPeakBytes: peak, measuredPeakBytes: peak });
      expect(variant.reservedBytes).toBeGreaterThanOrEqual(peak);
      expect(variant.ms).toEqual([variant.medianMs]);
      expect(variant.cpuMs).toEqual([variant.medianCpuMs]);
    }
    expect(within.slowdown).toBeCloseTo(within.chunked.medianMs / within.unchunked.medianMs - 1, 10);
    expect(within.slowdownQuartiles).toEqual([within.slowdown, within.slowdown]);
    expect(within).toMatchObject({ identical: true, maxAbsDiff: 0, outOfReach: null });
    expect(within.loops.length).toBeGreaterThan(0);
    expect(within.kernels).toMatchObject({
      matmul: expect.stringMatching(/^own SIMD.* webasm$/),
      softmax: expect.stringMatching(/^own SIMD.* webasm$/),
      add: 'gpu.js webasm',
    });
    for (const field of ['budgetBytes', 'parameterBytes', 'predictedSlowdown', 'compileMs'])
      expect(within).toHaveProperty(field);

    expect(refused.outOfReach.smallestPeakBytes).toBeGreaterThan(refused.budgetBytes);
    expect(refused.outOfReach.message).toContain('no plan meets the budget');
    expect(refused.unchunked.measuredPeakBytes).toBe(within.unchunkedPeakBytes);
  });

  it('puts the fields of a single result at the top too', async () => {
    const report = await bench('attention.ts', '--dims', 'N=64', '--budget', 'min');
    expect(report.results).toHaveLength(1);
    expect(report).toMatchObject(report.results[0]);
    expect(report.budgetBytes).toBe(report.plannedPeakBytes);
  });

  it('prints a block for each model and writes Markdown', async () => {
    const argv = ['--dims', 'N=128', '--budget', '60%', '--budget', '1KiB', '--rounds', '1'];
    const ran = await cli.run(
      'bench',
      'attention.ts',
      ...argv,
      '--markdown',
      'kept/bench.md',
      '--note',
      'a|b',
    );
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('attention · N = 128 · ');
    expect(ran.stdout).toMatch(/60% +\d.* KiB +\d+\.\d % +1 .* none\n/);
    expect(ran.stdout).toMatch(/1KiB +at least \d.* out of reach/);
    expect(ran.stdout).toContain('wrote kept/bench.md');
    const page = cli.read('kept/bench.md');
    expect(page).toContain('- command: `autochunk bench attention.ts --dims N=128');
    expect(page).toContain('- note: a|b');
    const table = page.split('\n').filter((line) => line.startsWith('|'));
    expect(table).toHaveLength(4);
    expect(new Set(table.map((line) => line.split('|').length)).size).toBe(1);
    expect(readdirSync(cli.path('kept'))).toEqual(['bench.md']);
  });

  it.each([
    [['attention.ts', 'tokens.ts#first'], 'needs sizes for dimension N'],
    [['attention.ts', '--dims', 'N=8,M=4'], 'has no dimension M'],
    [['attention.ts', '--dims', 'N=8', '--budget', '50%,lots'], 'budget "lots"'],
    [['attention.ts', '--dims', 'N=8', '--rounds', '0'], '--rounds: expected an integer from 1'],
    [['attention.ts', '--dims', 'N=8', '--backend', 'gpu'], '--backend: expected auto'],
    [['missing.ts'], 'there is no file missing.ts'],
    [[], "missing required argument 'model'"],
  ])('bad usage: %j', async (argv, message) => {
    const before = cli.snapshot();
    const ran = await cli.run('bench', ...argv);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain(message);
    expect(cli.snapshot()).toBe(before);
  });
});

describe('the report', () => {
  const variant = { reservedBytes: 0, medianMs: 1, ms: [1], medianCpuMs: 1, cpuMs: [1] };
  const refused = {
    reference: 'm.ts',
    model: 'm',
    dims: {},
    backend: 'cpu',
    adapter: 'JavaScript',
    budget: '1%',
    budgetBytes: 1,
    unchunkedPeakBytes: 100,
    parameterBytes: 0,
    outOfReach: { smallestPeakBytes: 50, message: 'no' },
  };
  const report = (unchunked: BenchReport['results'][number]['unchunked']): BenchReport => ({
    date: '2024-01-01',
    command: 'autochunk bench m.ts',
    machine: {
      cores: 1,
      processor: '',
      memoryBytes: 2 ** 30,
      engine: 'Node',
      platform: 'linux',
      loadAverage: [0, 0],
    },
    note: null,
    rounds: 1,
    seed: 1,
    results: [{ ...refused, unchunked }],
  });

  it('does not hide a peak that differs from the plan', () => {
    const page = benchMarkdown(report({ ...variant, plannedPeakBytes: 100, measuredPeakBytes: 104 }));
    expect(page).toContain('100 B (100 B) planned, 104 bytes MEASURED');
  });

  it('groups by model what was read back from JSON', () => {
    const { results, ...rest } = report({ ...variant, plannedPeakBytes: 100, measuredPeakBytes: 100 });
    const text = JSON.stringify({ ...rest, results: [results[0], { ...results[0], budget: '2%' }] });
    expect(describeBench(JSON.parse(text)).match(/unchunked:/g)).toHaveLength(1);
  });

  it('says where there is nothing to compare with', () => {
    expect(benchMarkdown(report(null))).toContain('| 1%     | at least 50 B (50 B)    | 50.0 % | —     | —');
  });

  it.each([
    [[3], 0.5, 3],
    [[4, 1], 0.5, 2.5],
    [[5, 1, 3, 2, 4], 0.25, 2],
    [[1, 2, 3, 4], 0.75, 3.25],
  ])('quantile of %j at %d', (values, q, expected) => {
    expect(quantile(values, q)).toBe(expected);
  });
});

describe('bench/models', () => {
  const folder = join(root, 'bench', 'models');
  const dims = { B: 1, N: 8, N_seq: 2, N_res: 3, H: 2, W: 2, L: 3 };

  it.each(readdirSync(folder))('%s is a model', async (file) => {
    const model: unknown = (await import(join(folder, file))).default;
    if (!isModel(model)) throw new Error(`${file} exports no model`);
    const graph = trace(model);
    const own = Object.fromEntries(Object.entries(dims).filter(([name]) => graph.dims.includes(name)));
    expect(planGraph(graph, { dims: own, budget: '100%', backend: 'webasm' }).loops).toEqual([]);
  });
});
