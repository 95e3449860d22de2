import { expect } from 'vitest';
import { kindOf } from '../../src/ir/loop.ts';
import type { Graph } from '../../src/ir/node.ts';
import type { Interpretation } from './interpret.ts';

/** Does any loop, at any depth, add up what no iteration makes alone? */
export const splitsReductions = (graph: Graph): boolean =>
  graph.nodes.some(
    (node) => node.kind === 'loop' && (kindOf(node) !== 'concat' || splitsReductions(node.body)),
  );

/** Equal outputs; to rounding in float64 where the placed graph splits reductions. */
export function expectSameOutputs(
  actual: Interpretation['outputs'],
  expected: Interpretation['outputs'],
  placed: Graph,
): void {
  if (!splitsReductions(placed)) {
    expect(actual).toEqual(expected);
    return;
  }
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, { data, shape }] of Object.entries(expected)) {
    const found = actual[name] as { shape: readonly number[]; data: Float64Array };
    expect(found.shape).toEqual(shape);
    const scale = data.reduce(
      (most, value) => Math.max(most, Number.isFinite(value) ? Math.abs(value) : 0),
      1,
    );
    const wrong = data.findIndex(
      (value, i) =>
        !Object.is(value, found.data[i]) && !(Math.abs(value - (found.data[i] as number)) <= 1e-9 * scale),
    );
    expect(wrong < 0 ? '' : `${name}[${wrong}]: ${data[wrong]}, split ${found.data[wrong]}`).toBe('');
  }
}
