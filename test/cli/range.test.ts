import { beforeAll, describe, expect, it } from 'vitest';
import { ATTENTION, useCli } from './support.ts';

const cli = useCli();
const MODULE = 'generated/attention.n1-200.ts';

beforeAll(() => void cli.write('attention.ts', ATTENTION));

const json = async (...argv: string[]) => {
  const ran = await cli.run(...argv, '--json');
  expect(ran.stderr).not.toContain('error:');
  expect(ran.code).toBe(0);
  return JSON.parse(ran.stdout);
};

describe('compile --dims N=1..200', () => {
  it('writes one module for all sizes', async () => {
    const ran = await cli.run('compile', 'attention.ts', '--dims', 'N=1..200', '--budget', '40%');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('attention · N = 1 … 200 · webasm');
    expect(ran.stdout).toMatch(/KiB at N = 200 {3}\(unchunked .* KiB: \d\d\.\d %\)/);
    expect(ran.stdout).toContain('kept at every N');
    expect(ran.stdout).toMatch(/loop1 .* N by chunk1: 200 = \d+ × \d+ +saves .* at scores/);
    expect(ran.stdout).toContain(`wrote ${MODULE}`);
    expect(cli.read(MODULE)).toContain('const { N } = readDims(info, inputs);');
  });

  it('--json says what holds at both ends', async () => {
    const document = await json(
      'compile',
      'attention.ts',
      '--dims',
      'N=1..200',
      '--budget',
      '40%',
      '--out',
      'a.ts',
    );
    expect(document).toMatchObject({ dims: { N: [1, 200] }, modulePath: 'a.ts' });
    expect(document.ends.map(({ size }: { size: number }) => size)).toEqual([1, 200]);
    expect(document.ends[1].plannedPeakBytes).toBe(document.plannedPeakBytes);
    expect(document.plannedPeakBytes).toBeLessThanOrEqual(document.budgetBytes);
    expect(document.chunks).toEqual([
      { name: 'chunk1', size: document.loops[0].chunkSize, loops: ['loop1'] },
    ]);
  });

  it('takes what can be saved where no budget is given', async () => {
    const document = await json('compile', 'attention.ts', '--dims', 'N=1..200', '--out', 'b.ts');
    expect(document.plannedPeakBytes).toBeLessThanOrEqual(document.budgetBytes);
  });

  it.each([
    [['--dims', 'N=1..2..3'], 'expected a range such as N=1..8192, got "N=1..2..3"'],
    [['--dims', 'N=..3'], 'N must be a positive integer, got ""'],
    [['--dims', 'N=9..3'], 'the range 9..3 of N ends before it begins'],
    [['--dims', 'N=1..3,N=1..4'], 'N is given twice, as 1..3 and as 1..4'],
    [['--dims', 'N=1..3', '--pareto'], '--pareto is for one size of every dimension'],
    [['--dims', 'M=1..3'], 'model attention has no dimension M'],
  ])('%j is refused', async (argv, message) => {
    const ran = await cli.run('compile', 'attention.ts', ...argv);
    expect(ran.stderr).toContain(message);
    expect(ran.code).toBe(2);
  });

  it('says which range fits where the budget is out of reach', async () => {
    const ran = await cli.run('compile', 'attention.ts', '--dims', 'N=1..200', '--budget', '40KiB');
    expect(ran.stderr).toMatch(/The largest N found to fit is \d+: take the range 1 … \d+/);
    expect(ran.code).toBe(1);
  });
});

it.each([
  ['run', 'attention.ts'],
  ['inspect', 'attention.ts'],
  ['explain', 'attention.ts', '--budget', '50%'],
  ['maxlen', 'attention.ts', '--budget', '1MiB'],
  ['bench', 'attention.ts'],
])('%s wants one size', async (...argv) => {
  const ran = await cli.run(...argv, '--dims', 'N=1..9');
  expect(ran.stderr).toContain('N=1..9 is a range, which only `compile` and `verify` take');
  expect(ran.code).toBe(2);
});

describe('run of a module for a range', () => {
  it('takes any size, and measures the peak it announces', async () => {
    for (const size of [1, 37, 200]) {
      const document = await json('run', MODULE, '--dims', `N=${size}`, '--backend', 'cpu', '--repeat', '1');
      expect(document.dims).toEqual({ N: size });
      expect(document.chunked.measuredPeakBytes).toBe(document.chunked.plannedPeakBytes);
      expect(document.chunked.measuredPeakBytes).toBeLessThanOrEqual(document.budgetBytes);
    }
  });

  it('takes the size of its inputs', async () => {
    const rows = JSON.stringify([new Array(16).fill(0.5), new Array(16).fill(-1), new Array(16).fill(2)]);
    const document = await json('run', MODULE, '--input', `x=${rows}`, '--backend', 'cpu', '--repeat', '1');
    expect(document.dims).toEqual({ N: 3 });
  });

  it.each([
    [[], 2, '--dims: the module is for N from 1 to 200: give a size such as N=200, or --input'],
    [['--dims', 'N=201'], 1, 'attention: N = 201 is outside the range 1 … 200 of the module'],
    [['--dims', 'N=3,M=1'], 2, '--dims: of this module only N is open, from 1 to 200; got M'],
    [['--dims', 'N=3', '--variant', 'both'], 2, 'a generated module is the chunked variant alone'],
  ])('%j is refused', async (argv, code, message) => {
    const ran = await cli.run('run', MODULE, '--backend', 'cpu', ...argv);
    expect(ran.stderr).toContain(message);
    expect(ran.code).toBe(code);
  });
});

it('verify checks one module at sizes of its range', async () => {
  const ran = await cli.run(
    ...['verify', 'attention.ts', '--dims', 'N=1..90', '--budget', '50%', '--runs', '10', '--backend', 'cpu'],
  );
  expect(ran.stderr).not.toContain('error:');
  expect(ran.stdout).toContain('ok attention on cpu: 10 cases from seed 1, 10 with loops');
  expect(ran.stdout).toContain('one module at all sizes, within its budget');
});
