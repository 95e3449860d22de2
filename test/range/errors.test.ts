import { describe, expect, it } from 'vitest';
import { gpt2Tiny } from '../../models/gpt2/model.ts';
import { stories260K } from '../../models/llama/model.ts';
import type { RangeDims } from '../../src/compiler/range/plan-range.ts';
import {
  BudgetError,
  compileModel,
  defineModel,
  f32,
  type Model,
  relu,
  reshape,
  sum,
} from '../../src/index.ts';

const compile = (model: Model, dims: RangeDims, more: object = {}) =>
  compileModel(model, { dims, budget: '100%', ...more });
const doubled = defineModel('doubled', { x: f32('N+1', 4) }, ({ x }) => relu(x));
const two = defineModel('two', { x: f32('B', 'N') }, ({ x }) => relu(x));
const keyword = defineModel('keyword', { x: f32('in', 4) }, ({ x }) => relu(x));
const taken = defineModel('taken', { x: f32('device', 4) }, ({ x }) => relu(x));

describe('a range', () => {
  it.each<[string, Model, RangeDims]>([
    [
      'the range 9 … 3 of N is not one of positive integers, the smaller first',
      stories260K,
      { N: { from: 9, to: 3 } },
    ],
    [
      'the range 0 … 3 of N is not one of positive integers, the smaller first',
      stories260K,
      { N: { from: 0, to: 3 } },
    ],
    ['the range 1 … 2.5 of N is not one of positive integers', stories260K, { N: { from: 1, to: 2.5 } }],
    ['there is no dimension M; its dimensions are N', stories260K, { N: 4, M: { from: 1, to: 3 } }],
    ['dimensions unbound: N; its dimensions are B, N', two, { B: { from: 1, to: 3 } }],
    [
      'ranges of B and N: a module can have a range of one dimension',
      two,
      { B: { from: 1, to: 3 }, N: { from: 1, to: 3 } },
    ],
    ['extents of inputs are numbers or multiples of N', doubled, { N: { from: 1, to: 3 } }],
    ['a dimension named in cannot have a range', keyword, { in: { from: 1, to: 3 } }],
    ['a dimension named device cannot have a range', taken, { device: { from: 1, to: 3 } }],
    [
      'N = 100000 does not fit the model: slice: start 0, length 100000 lies outside',
      gpt2Tiny,
      { N: { from: 1, to: 100_000 } },
    ],
  ])('is refused: %s', async (message, model, dims) => {
    await expect(compile(model, dims)).rejects.toThrow(message);
    await expect(compile(model, dims)).rejects.toMatchObject({ name: 'UserError' });
  });

  it('that no plan covers is refused, naming a range that one does', async () => {
    const dims = { N: { from: 1, to: 64 } };
    const refused = await compile(stories260K, dims, { budget: '100KiB' }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BudgetError);
    const { message, smallestPeakBytes, budgetBytes } = refused as BudgetError;
    expect(smallestPeakBytes).toBeGreaterThan(budgetBytes);
    const [, largest] = /The largest N found to fit is (\d+): take the range/.exec(message) ?? [];
    expect(Number(largest)).toBeGreaterThan(1);
    const { plan } = await compile(
      stories260K,
      { N: { from: 1, to: Number(largest) } },
      { budget: '100KiB' },
    );
    expect(plan.planned.peakBytes).toBeLessThanOrEqual(100 * 1024);
  });

  it('of which not even the smallest size fits says so', async () => {
    await expect(compile(stories260K, { N: { from: 8, to: 64 } }, { budget: '1KiB' })).rejects.toThrow(
      'Not even N = 8 fits',
    );
  });

  it('keeps every storage within the cap', async () => {
    const cap = 16 * 1024;
    const dims = { N: { from: 1, to: 100 } };
    const { plan, source } = await compile(stories260K, dims, { budget: '100%', cap: cap * 16 });
    expect(source).toContain(`capBytes: ${cap * 16}`);
    expect(plan.planned.largestStorageBytes).toBeLessThanOrEqual(cap * 16);
    await expect(compile(stories260K, dims, { budget: '100%', cap })).rejects.toThrow(
      /keeps every storage within the cap of 16 KiB \(16384 bytes\) for every N from 1 to 100. The largest N found to fit is \d+/,
    );
  });
});

it('one size is a range too', async () => {
  const { plan } = await compile(stories260K, { N: { from: 40, to: 40 } }, { budget: 'min' });
  expect(plan.ends.map(({ size }) => size)).toEqual([40, 40]);
});

it('a dimension that only shapes the middle is not read where it is not needed', async () => {
  const total = defineModel('total', { x: f32('N', 4) }, ({ x }) => sum(reshape(x, ['N', 4]), 0));
  const { source } = await compile(total, { N: { from: 1, to: 9 } }, { budget: '100%' });
  expect(source).toContain('  readDims(info, inputs);');
});
