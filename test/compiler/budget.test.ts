import { defineModel, f32, nn } from 'autochunk';
import { describe, expect, it } from 'vitest';
import { budgetBytes, parseBudget } from '../../src/compiler/budget.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { UserError } from '../../src/errors.ts';
import { trace } from '../../src/trace/tracer.ts';

describe('parseBudget', () => {
  it.each([
    ['512MiB', { kind: 'bytes', bytes: 512 * 2 ** 20 }],
    ['1.5GiB', { kind: 'bytes', bytes: 1.5 * 2 ** 30 }],
    ['300KB', { kind: 'bytes', bytes: 300_000 }],
    ['300 kb', { kind: 'bytes', bytes: 300_000 }],
    ['123456', { kind: 'bytes', bytes: 123456 }],
    ['20%', { kind: 'share', share: 0.2 }],
    ['100%', { kind: 'share', share: 1 }],
    ['0.5 %', { kind: 'share', share: 0.005 }],
    ['min', { kind: 'min' }],
    ['MIN', { kind: 'min' }],
  ])('reads %s', (text, budget) => {
    expect(parseBudget(text)).toEqual(budget);
  });

  it.each(['0', '-5%', '200%', '0%', 'abc', '', '5 apples', '1e99GiB', '12MiBs', 'NaN', '--', '0.1'])(
    'refuses %j as bad usage, with the accepted forms',
    (text) => {
      const read = (): unknown => parseBudget(text);
      expect(read).toThrow(UserError);
      expect(read).toThrow(`budget "${text}"`);
      expect(read).toThrow('512MiB');
      expect(read).toThrow(expect.objectContaining({ exitCode: 2 }));
    },
  );

  it('takes shares of the unchunked peak', () => {
    expect(budgetBytes(parseBudget('20%'), 1001)).toBe(200);
    expect(budgetBytes(parseBudget('300'), 1001)).toBe(300);
    expect(budgetBytes(parseBudget('min'), 1001)).toBeUndefined();
  });
});

describe('norms whose moments take more than the norms at once', () => {
  const model = defineModel('norm', { x: f32('N', 4) }, ({ x }) => ({ y: nn.layerNorm('norm', x) }));
  const planned = (budget: string) =>
    plan(trace(model), { dims: { N: 1 }, backend: 'cpu', budget: parseBudget(budget) });

  it.each(['100%', 'min'])('are not taken apart for %s', (budget) => {
    const { loops, planned: chunked, unchunked } = planned(budget);
    expect(loops).toEqual([]);
    expect(chunked.peakBytes).toBeLessThanOrEqual(unchunked.peakBytes);
  });

  it('are at their smallest at once, also for a budget that is refused', () => {
    const smallest = planned('min').planned.peakBytes;
    expect(() => planned(`${smallest - 1}`)).toThrow(
      expect.objectContaining({ smallestPeakBytes: smallest }),
    );
  });

  it('are left as they are for a budget that they meet in place', () => {
    const donated = defineModel('norm', { x: f32('N', 3, { donated: true }) }, ({ x }) => ({
      y: nn.layerNorm('norm', x),
    }));
    const within = (budget: string) =>
      plan(trace(donated), { dims: { N: 1 }, backend: 'cpu', budget: parseBudget(budget) }).planned.peakBytes;
    const smallest = within('min');
    expect(within(`${smallest + 4}`)).toBe(smallest);
    expect(within(`${smallest}`)).toBe(smallest);
  });
});
