import { mkdirSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { COST_MODELS } from '../../src/compiler/cost/cost-models/index.ts';
import { readCostModel } from '../../src/compiler/cost/read-cost-model.ts';
import { ATTENTION, useCli } from './support.ts';

const cli = useCli();

beforeAll(() => {
  cli.write('attention.ts', ATTENTION);
});

const jsonOf = async (argv: string): Promise<Record<string, unknown>> => {
  const ran = await cli.run(...argv.split(' '), '--json');
  expect(ran).toMatchObject({ code: 0 });
  return JSON.parse(ran.stdout) as Record<string, unknown>;
};

describe('tune', () => {
  it('writes a cost model that the other commands take', async () => {
    const ran = await cli.run(
      'tune',
      '--backend',
      'webasm',
      '--quick',
      '--note',
      'a test',
      '--out',
      'here.json',
    );
    expect(ran).toMatchObject({ code: 0 });
    for (const title of ['kernels', 'plans', 'rates', 'weights', 'slowdowns of plans', 'wrote here.json'])
      expect(ran.stdout).toContain(title);
    const written = JSON.parse(cli.read('here.json')) as {
      samples: { kernels: unknown[]; plans: unknown[] };
    };
    const model = readCostModel(written);
    expect(model).toMatchObject({ backend: 'webasm', adapter: 'WebAssembly SIMD', source: 'fitted' });
    expect(model.note).toMatch(/^a test; .* load average/);
    expect(model.fit?.kernels.matmul.samples).toBeGreaterThan(10);
    expect(written.samples.kernels.length).toBeGreaterThan(100);
    expect(written.samples.plans).toHaveLength(model.fit?.slowdowns.samples ?? 0);

    const options = 'attention.ts --dims N=64 --budget 60% --backend webasm --cost-model here.json';
    for (const command of ['compile', 'run', 'explain', 'bench']) {
      const { predictedMs } = await jsonOf(
        `${command} ${options}${command === 'bench' ? ' --rounds 1' : ''}`,
      );
      if (command !== 'run') expect(predictedMs).toBeGreaterThan(0);
    }
    expect(await jsonOf(`verify ${options} --runs 2`)).toMatchObject({ ok: true });
    expect(
      await jsonOf('maxlen attention.ts --budget 1MiB --backend webasm --points 0 --cost-model here.json'),
    ).toHaveProperty('chunked');
  });
});

describe('--cost-model', () => {
  const compile = (file: string, ...more: string[]) =>
    cli.run('compile', 'attention.ts', '--dims', 'N=64', '--cost-model', file, ...more);

  it('warns of another device', async () => {
    const other = { ...COST_MODELS.cpu, adapter: 'Abacus' };
    cli.write('other.json', JSON.stringify(other));
    const ran = await compile('other.json', '--backend', 'cpu');
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain('warning: other.json was made on Abacus, the device here is JavaScript');
  });

  it.each([
    ['a file that is not there', 'none.json', 1, /cannot read none\.json/],
    ['a folder', 'folder', 1, /cannot read folder/],
    ['no JSON', 'text.json', 1, /text\.json: not JSON/],
    ['something else', 'empty.json', 1, /empty\.json: expected a cost model of version 1, got nothing/],
    ['half a model', 'half.json', 1, /half\.json is not a cost model:\n {2}weights: expected an object/],
    [
      'another backend',
      'cpu.json',
      2,
      /cpu\.json is of cpu .*, but the backend is webasm; say --backend cpu/,
    ],
    ['no name', '', 2, /--cost-model: expected a file name/],
  ])('refuses %s', async (_, file, code, message) => {
    mkdirSync(cli.path('folder'), { recursive: true });
    cli.write('text.json', 'not JSON');
    cli.write('empty.json', '{}');
    cli.write('half.json', JSON.stringify({ ...COST_MODELS.webasm, weights: undefined }));
    writeFileSync(cli.path('cpu.json'), JSON.stringify(COST_MODELS.cpu));
    const ran = await compile(file);
    expect(ran.code).toBe(code);
    expect(ran.stderr).toMatch(message);
  });

  it('is of no use to a generated module', async () => {
    await cli.run('compile', 'attention.ts', '--dims', 'N=64', '--out', 'module.ts');
    const ran = await cli.run('run', 'module.ts', '--cost-model', 'here.json');
    expect(ran).toMatchObject({ code: 2 });
    expect(ran.stderr).toContain('--cost-model: a generated module is planned already');
  });
});

describe('compile --max-slowdown', () => {
  it('gives the least memory that is fast enough, and says so in the module', async () => {
    const options = 'compile attention.ts --dims N=256 --out slow.ts';
    const [free, tight] = [
      await jsonOf(`${options} --max-slowdown 1000%`),
      await jsonOf(`${options} --max-slowdown 2.5%`),
    ];
    expect(tight.predictedSlowdown).toBeLessThanOrEqual(0.025);
    expect(tight.maxSlowdown).toBe(0.025);
    expect(free.plannedPeakBytes).toBeLessThanOrEqual(tight.plannedPeakBytes as number);
    expect(cli.read('slow.ts')).toContain('budget min at +2.5 % time at most');
    const least = await jsonOf('compile attention.ts --dims N=256 --budget min');
    const both = `--budget ${least.plannedPeakBytes} --max-slowdown 0%`;
    const ran = await cli.run(...`${options} ${both}`.split(' '));
    expect(ran).toMatchObject({ code: 1 });
    expect(ran.stderr).toMatch(/no plan within .* is predicted to take at most 0\.0 % longer/);
  });

  it.each(['5', '-5%', 'five', ''])('refuses "%s"', async (text) => {
    const ran = await cli.run('compile', 'attention.ts', '--dims', 'N=8', `--max-slowdown=${text}`);
    expect(ran).toMatchObject({ code: 2 });
    expect(ran.stderr).toContain('--max-slowdown: expected a percentage such as 5% or 0%');
  });
});

describe('compile --measure', () => {
  it('runs different plans and keeps one of them', async () => {
    const argv = 'compile attention.ts --dims N=256 --budget 50% --measure 3 --out fast.ts';
    const found = await jsonOf(argv);
    const measured = found.measured as { unchunkedMs: number; plans: Record<string, unknown>[] };
    expect(measured.unchunkedMs).toBeGreaterThan(0);
    expect(measured.plans.length).toBeGreaterThan(1);
    expect(measured.plans.length).toBeLessThanOrEqual(3);
    const kept = measured.plans.filter((plan) => plan.kept);
    expect(kept).toHaveLength(1);
    expect(kept[0]?.plannedPeakBytes).toBe(found.plannedPeakBytes);
    expect(found.plannedPeakBytes).toBeLessThanOrEqual(found.budgetBytes as number);
    const ran = await cli.run(...argv.split(' '));
    expect(ran.stdout).toMatch(/measured on random data, unchunked: .*; \* is kept\n.*peak +predicted/);
    expect(await cli.run('run', 'fast.ts', '--repeat', '1')).toMatchObject({ code: 0 });
  });

  it.each([
    ['--measure 0', /--measure: expected an integer from 1 to 16/],
    ['--measure 2 --max-slowdown 5%', /choose one/],
    ['--pareto --measure 2', /--pareto plans for many budgets/],
    ['--pareto --max-slowdown 5%', /--pareto plans for many budgets/],
  ])('refuses %s', async (options, message) => {
    const ran = await cli.run('compile', 'attention.ts', '--dims', 'N=8', ...options.split(' '));
    expect(ran).toMatchObject({ code: 2 });
    expect(ran.stderr).toMatch(message);
  });
});

describe('--cap', () => {
  it('is what the device binds unless given', async () => {
    const argv = ['compile', 'attention.ts', '--dims', 'N=64'];
    const webasm = await cli.run(...argv);
    expect(webasm.stdout).toMatch(/cap +[\d.]+ [MG]iB \(device\) on a single storage/);
    const given = await jsonOf('compile attention.ts --dims N=64 --cap 1MiB');
    expect(given).toMatchObject({ capBytes: 2 ** 20, capSource: 'given' });
    const webgpu = await jsonOf('compile attention.ts --dims N=64 --backend webgpu');
    expect(webgpu.capBytes).toBeGreaterThanOrEqual(128 * 2 ** 20);
    expect(['device', 'guaranteed']).toContain(webgpu.capSource);
  });

  it('forbids plans with a larger storage, and says which value it is', async () => {
    const ran = await cli.run('compile', 'attention.ts', '--dims', 'N=256', '--cap', '10KB');
    expect(ran).toMatchObject({ code: 1 });
    expect(ran.stderr).toMatch(/more than the cap of 9\.\d+ KiB|no plan keeps every storage within the cap/);
  });

  it('warns of parameters that are larger', async () => {
    const ran = await cli.run('compile', 'attention.ts', '--dims', 'N=2', '--cap', '512');
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stderr).toMatch(/warning: parameter .* \[16, 16\] takes 1 KiB, more than the cap of 512 B/);
  });
});
