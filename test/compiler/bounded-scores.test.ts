import { describe, expect, it } from 'vitest';
import { boundedScores } from '../../src/compiler/graph/bounded-scores.ts';
import type { OpNode } from '../../src/ir/node.ts';
import type { Program, Step } from '../../src/ir/program.ts';

const call = (op: string, operands: readonly string[], into: string, attrs: OpNode['attrs'] = {}): Step => ({
  kind: 'call',
  node: { kind: 'op', id: into, op, operands, attrs, shape: [2], dtype: 'f32', scope: '' },
  operands,
  into,
  scratch: [],
});
const program = (steps: readonly Step[]): Program => ({
  name: 'scores',
  inputs: [{ id: 'x', shape: [2], dtype: 'f32' }],
  params: [{ id: 'w', key: 'w', shape: [2], dtype: 'f32' }],
  steps,
  outputs: [],
});

describe('scores of which masked ones are the lowest', () => {
  it('are sums of products, and arithmetic with parameters and other such values', () => {
    const isBounded = boundedScores(
      program([
        call('matmul', ['x', 'x'], 'product'),
        call('add', ['product', 'w'], 'biased'),
        call('mulScalar', ['biased'], 'scaled', { value: 0.125 }),
        { kind: 'view', value: 'seen', of: 'scaled', view: { kind: 'permute', axes: [0] } },
      ]),
    );
    for (const value of ['w', 'product', 'biased', 'scaled', 'seen']) expect(isBounded(value)).toBe(true);
  });

  it('are no inputs, nor what is selected, nor made of numbers as low as masks', () => {
    const isBounded = boundedScores(
      program([
        call('matmul', ['x', 'x'], 'product'),
        call('add', ['product', 'x'], 'biased'),
        call('where', ['x', 'product', 'w'], 'selected'),
        call('addScalar', ['product'], 'lowered', { value: -3e38 }),
      ]),
    );
    for (const value of ['x', 'biased', 'selected', 'lowered', 'unknown'])
      expect(isBounded(value)).toBe(false);
  });

  it('are nothing that is made of itself, as loops carry it', () => {
    const isBounded = boundedScores(
      program([
        call('full', [], 'sum', { value: 0 }),
        call('matmul', ['x', 'x'], 'part'),
        call('add', ['sum', 'part'], 'sum'),
        call('neg', ['sum'], 'result'),
      ]),
    );
    expect(isBounded('result')).toBe(false);
    expect(isBounded('sum')).toBe(false);
    expect(isBounded('part')).toBe(true);
  });
});
