import { expect, test } from 'vitest';
import { type AxisOrigin, axisOrigins } from '../../src/ir/origins.ts';
import { parseGraph } from '../../src/ir/parse.ts';
import { attention } from '../codegen/support.ts';

const show = (axes: readonly (readonly AxisOrigin[])[]) =>
  axes.map((axis) => axis.map(({ id, axis }) => `${id}.${axis}`).join(' '));

test('axes are traced through projections, reshapes, permutes and chunk loops', () => {
  const origins = axisOrigins(attention().graph);
  const of = (id: string) => show(origins.get(id) ?? []);
  expect(of('x')).toEqual(['x.0', 'x.1']);
  expect(of('q')).toEqual(['x.0', 'h_attn_q_weight.0']);
  expect(of('kT')).toEqual(['h_attn_k_weight.0', 'h_attn_k_weight.0', 'x.0']);
  expect(of('qRows')).toEqual(of('qHeads'));
  expect(of('scores')).toEqual(['h_attn_q_weight.0 h_attn_k_weight.0', 'x.0', 'x.0']);
  expect(of('context')).toEqual([
    'h_attn_q_weight.0 h_attn_k_weight.0 h_attn_v_weight.0',
    'x.0',
    'h_attn_v_weight.0',
  ]);
});

test('slices keep their axis; what a model makes itself has no origin', () => {
  const origins = axisOrigins(
    parseGraph(`graph "g" {
      dims N
      input ids: i32[N]
      param table: f32[10, 6] key "t"
      rows: f32[N, 6] = embedding(table, ids)
      part: f32[N, 2] = slice(rows) {axis: 1, start: 2, length: 2}
      places: i32[N] = iota() {length: N}
      wide: f32[3, N, 2] = expand(part) {shape: [3, N, 2]}
      total: f32[N] = sum(part) {axis: 1, keepdims: false}
    }`),
  );
  expect(show(origins.get('part') ?? [])).toEqual(['ids.0', 'table.1']);
  expect(show(origins.get('places') ?? [])).toEqual(['']);
  expect(show(origins.get('wide') ?? [])).toEqual(['', 'ids.0', 'table.1']);
  expect(show(origins.get('total') ?? [])).toEqual(['ids.0']);
});
