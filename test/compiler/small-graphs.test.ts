import {
  abs,
  add,
  amin,
  defineModel,
  einsum,
  f32,
  gelu,
  greater,
  maskedFill,
  matmul,
  maximum,
  mean,
  mul,
  neg,
  nn,
  param,
  reshape,
  scaledDotProductAttention,
  sigmoid,
  sin,
  slice,
  softmax,
  sum,
  type Tensor,
  transpose,
  where,
} from 'autochunk';
import { describe, expect, it } from 'vitest';
import { type PlanOptions, plan } from '../../src/compiler/pipeline.ts';
import type { Budget } from '../../src/ir/plan.ts';
import { trace } from '../../src/trace/tracer.ts';

const bytes = (bytes: number): Budget => ({ kind: 'bytes', bytes });
const min: Budget = { kind: 'min' };

/** Graphs for which plans were worse than the best of all (`npm run quality`). */
describe('plans for small graphs', () => {
  const peakOf = (
    model: Parameters<typeof trace>[0],
    n: number,
    budget: Budget,
    options: Partial<PlanOptions> = {},
  ): number => planOf(model, n, budget, options).planned.peakBytes;
  const planOf = (
    model: Parameters<typeof trace>[0],
    n: number,
    budget: Budget,
    options: Partial<PlanOptions> = {},
  ) => plan(trace(model), { dims: { N: n }, backend: 'cpu', budget, ...options });
  const exact = { splitReductions: false };

  it('split a reduction for 7 % of the smallest peak, under 10 % as it is', () => {
    const model = defineModel('mlp', { x: f32('N', 6) }, ({ x }) => ({
      y: add(x, nn.linear('down', gelu(nn.linear('up', x, 19)), 6)),
    }));
    expect(peakOf(model, 6, min, exact)).toBe(364);
    expect(peakOf(model, 6, min)).toBe(340);
    expect(peakOf(model, 6, bytes(360))).toBeLessThanOrEqual(360);
  });

  it('find regions that a flow to the peak does not lead through', () => {
    const model = defineModel('joined', { x: f32(4, 'N', 5) }, ({ x }) => {
      const v = where(greater(x, 0.5), x, param('p', []));
      const w = softmax(maskedFill(v, greater(v, 0.5), -4), 2);
      return { y: nn.linear('q', w, 6), z: softmax(transpose(v, 0, 1), 2) };
    });
    expect(peakOf(model, 3, min, exact)).toBe(800);
  });

  it('find two loops that help only together', () => {
    const model = defineModel('together', { x: f32('N', 6, 1, 3) }, ({ x }) => {
      const v = add(x, x);
      const w = einsum('...a,ab->...b', v, param('p', [3, 1]));
      return { y: softmax(v, 3), z: matmul(w, param('q', [1, 5])) };
    });
    expect(peakOf(model, 2, min, exact)).toBeLessThanOrEqual(548);
  });

  it.each([
    { name: 'a projection outside a loop over the rest', n: 4, shape: [3, 'N', 6] as const, peak: 672 },
    { name: 'loops in a loop other than those at its peak', n: 3, shape: [1, 4, 'N', 4] as const, peak: 444 },
  ])('find $name', ({ n, shape, peak }) => {
    const model = defineModel('projected', { x: f32(...shape) }, ({ x }) => {
      const width = shape.at(-1) as number;
      const projected = (name: string): Tensor => nn.linear(name, x, width);
      const [q, k, v] = [projected('q'), projected('k'), projected('v')];
      return { y: scaledDotProductAttention(q, k, v, { causal: n === 3 }) };
    });
    expect(peakOf(model, n, min, exact)).toBeLessThanOrEqual(peak);
  });

  it('find a loop that is of use for the loop inside it alone', () => {
    const model = defineModel('inside', { x: f32(2, 'N', 6) }, ({ x }) => {
      const w = softmax(x, 2);
      const v = add(x, nn.linear('down', gelu(nn.linear('up', x, 17)), 6));
      return { w, m: mean(v, 1, { keepdims: true }), y: matmul(v, param('p', [6, 5])) };
    });
    expect(peakOf(model, 9, min, exact)).toBeLessThanOrEqual(1556);
  });

  it('find a dear loop that helps with two loops inside it alone', () => {
    const model = defineModel('dear', { x: f32(1, 4, 'N', 3) }, ({ x }) => {
      const v = sum(x, 0, { keepdims: true });
      const y = matmul(v, transpose(v, -2, -1));
      return { y, z: scaledDotProductAttention(v, v, v, { causal: false }) };
    });
    expect(peakOf(model, 8, min, exact)).toBeLessThanOrEqual(1932);
  });

  it('find a loop before the peak that helps only with another', () => {
    const model = defineModel('before', { x: f32('N', 3, { donated: true }) }, ({ x }) => {
      const seen = scaledDotProductAttention(x, x, x, { causal: false });
      return {
        part: slice(x, 1, 2, 3),
        y: matmul(seen, transpose(seen, -2, -1)),
        z: mul(sigmoid(nn.linear('p', seen, 3)), seen),
      };
    });
    expect(peakOf(model, 7, min, exact)).toBeLessThanOrEqual(320);
  });

  it('compute later readers earlier, so that what they read is written over', () => {
    const model = defineModel('readers', { x: f32('N', 5, { donated: true }), y: f32(1, 4) }, ({ x, y }) => {
      const v = maximum(x, param('p', []));
      const least = amin(v, 1, { keepdims: false });
      return {
        least,
        wave: reshape(sin(y), [4]),
        seen: scaledDotProductAttention(v, v, v, { causal: true }),
      };
    });
    expect(peakOf(model, 2, min, exact)).toBe(100);
    expect(peakOf(model, 2, bytes(108), exact)).toBeLessThanOrEqual(108);
  });

  it('split a reduction away from the peak, where that lets the peak write over an input', () => {
    const model = defineModel('sums', { x: f32('N', 1, 1, 1, { donated: true }) }, ({ x }) => {
      const t = transpose(x, 3, 0);
      return { y: nn.groupNorm('norm', t, { groups: 1 }), z: sum(t, 3, { keepdims: false }) };
    });
    expect(peakOf(model, 9, min)).toBe(80);
  });

  it('put the cheaper loop inside', () => {
    const model = defineModel('nested', { x: f32('N', 6, 6, 2) }, ({ x }) => ({
      y: scaledDotProductAttention(x, x, x, { causal: true }),
    }));
    const { planned, cost } = planOf(model, 6, bytes(4213), exact);
    expect(planned.peakBytes).toBeLessThanOrEqual(4213);
    expect(cost.total).toBeLessThan(70);
  });

  it('use three cheap loops for a dear one', () => {
    const model = defineModel('cheap', { x: f32('N', 5, 2, 5), y: f32('N', 3, 1, 6) }, ({ x, y }) => {
      const a = mul(sigmoid(nn.linear('p', x, 5)), softmax(x, 0));
      const b = mul(sigmoid(nn.linear('q', y, 6)), softmax(y, 0));
      return { a: matmul(a, param('r', [5, 4])), b, c: softmax(nn.linear('s', y, 4), 0) };
    });
    const { planned, cost } = planOf(model, 1, bytes(707), exact);
    expect(planned.peakBytes).toBeLessThanOrEqual(707);
    expect(cost.total).toBeLessThan(5);
  });

  it('lose nodes that loops in the loops of a sum, three deep, name parts of', () => {
    const model = defineModel('deep', { x: f32(1, 3, 'N', 4) }, ({ x }) => ({
      y: mean(matmul(x, transpose(x, -2, -1)), 1, { keepdims: true }),
    }));
    for (let budget = 776; budget <= 1020; budget += 12)
      expect(peakOf(model, 8, bytes(budget))).toBeLessThanOrEqual(budget);
  });

  it('take back loops that were left out only where these and the new one do not wait for each other', () => {
    const first = defineModel('waits', { x: f32(1, 'N', 1) }, ({ x }) => {
      const a = neg(x);
      const b = neg(a);
      const c = einsum('...a,ab->...b', a, param('p', [1, 4]));
      const d = neg(c);
      return { e: mul(sigmoid(nn.linear('q', d, 4)), d), f: nn.linear('r', b, 2), g: abs(c) };
    });
    expect(peakOf(first, 6, min)).toBe(280);
    const second = defineModel('waits', { x: f32(2, 'N', 1) }, ({ x }) => {
      const a = neg(x);
      const b = softmax(maskedFill(a, greater(a, 0.5), -4), 2);
      const c = neg(a);
      return { b, d: softmax(c, 1), e: mul(sigmoid(nn.linear('p', c, 1)), c) };
    });
    expect(peakOf(second, 1, min)).toBe(40);
  });
});
