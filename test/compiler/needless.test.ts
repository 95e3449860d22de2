import {
  add,
  defineModel,
  f32,
  gelu,
  type Model,
  matmul,
  nn,
  param,
  scaledDotProductAttention,
  softmax,
  sub,
} from 'autochunk';
import { describe, expect, it } from 'vitest';
import type { Chosen } from '../../src/compiler/passes/recompute.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { loopsOf, withoutNeedless } from '../../src/compiler/search/needless.ts';
import { uselessLoops } from '../../src/testing/useless-loops.ts';
import { trace } from '../../src/trace/tracer.ts';

const mlp = (name: string, x: Parameters<typeof gelu>[0], inner: number, width: number) =>
  nn.linear(`${name}Down`, gelu(nn.linear(`${name}Up`, x, inner)), width);

/** Programs whose smallest peak took a loop more than it needed (`npm run quality`). */
const CASES: readonly { readonly model: Model; readonly n: number }[] = [
  {
    n: 5,
    model: defineModel('projections', { x: f32('N', 4), y: f32(1, 'N', 1) }, ({ x, y }) => ({
      a: add(x, mlp('a', x, 22, 4)),
      b: add(y, mlp('b', y, 12, 1)),
      c: matmul(nn.rmsNorm('norm', x), param('w', [4, 1])),
    })),
  },
  {
    n: 7,
    model: defineModel('attention', { x: f32(6, 2) }, ({ x }) => {
      const v = sub(x, param('p', []));
      const w = add(v, v);
      const [q, k, u] = ['q', 'k', 'v'].map((name) => nn.linear(name, w, 2)) as [
        typeof w,
        typeof w,
        typeof w,
      ];
      return { context: scaledDotProductAttention(q, k, u, { causal: true }), weights: softmax(v, 0) };
    }),
  },
];

const chosenFor = ({ model, n }: (typeof CASES)[number]) => {
  const graph = trace(model);
  const dims = Object.fromEntries(graph.dims.map((dim) => [dim, n]));
  const told: { chosen?: Chosen } = {};
  const { planned } = plan(graph, {
    dims,
    budget: { kind: 'min' },
    backend: 'cpu',
    onChosen: (chosen) => void (told.chosen = chosen),
  });
  return { chosen: told.chosen as Chosen, peak: planned.peakBytes };
};

describe('loops that a plan does not need', () => {
  it.each(CASES)('are taken out in the end: $model.name', (one) => {
    const { chosen, peak } = chosenFor(one);
    expect(chosen.choices.length).toBeGreaterThan(0);
    expect(uselessLoops(chosen, peak)).toEqual([]);
  });

  it('are all where everything fits, and none where nothing does without', () => {
    const { chosen } = chosenFor(CASES[0] as (typeof CASES)[number]);
    expect(loopsOf(withoutNeedless(chosen, () => true).choices)).toEqual([]);
    expect(withoutNeedless(chosen, () => false)).toBe(chosen);
  });
});
