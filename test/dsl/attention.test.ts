import {
  add,
  causalMask,
  constant,
  f32,
  i32,
  matmul,
  mul,
  reshape,
  ropeTables,
  rotary,
  scaledDotProductAttention,
  softmax,
  type Tensor,
  transpose,
  UserError,
} from 'autochunk';
import { describe, expect, test } from 'vitest';
import { evalGraph, type PlainTensor } from '../support/eval-graph.ts';
import { lines, ops, traced } from './support.ts';

/** Deterministic numbers between -1 and 1. */
const numbers = (shape: readonly number[], seed: number): PlainTensor => ({
  shape,
  data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin((i + 1) * (seed + 0.7))),
});

describe('scaledDotProductAttention', () => {
  const inputs = { q: f32(4, 'N', 6), k: f32(4, 'N', 6), v: f32(4, 'N', 6) };

  test('is recorded as its parts', () => {
    const graph = traced(inputs, ({ q, k, v }) => {
      const context = scaledDotProductAttention(q, k, v, { causal: true, scale: 0.5 });
      return context;
    });
    expect(lines(graph)).toMatchInlineSnapshot(`
      [
        "scaledQueries = mulScalar(q) {value: 0.5} : f32[4, N, 6]",
        "keysTransposed = permute(k) {axes: [0,2,1]} : f32[4, 6, N]",
        "scores = matmul(scaledQueries, keysTransposed) : f32[4, N, N]",
        "maskedScores = causalMask(scores) {rowStart: 0, columnStart: 0} : f32[4, N, N]",
        "attention = softmax(maskedScores) {axis: 2} : f32[4, N, N]",
        "context = matmul(attention, v) : f32[4, N, 6]",
      ]
    `);
  });

  test('shares key heads between query heads without repeating them', () => {
    const shapes = { q: f32(6, 'N', 4), k: f32(2, 'N', 4), v: f32(2, 'N', 4) };
    const graph = traced(shapes, ({ q, k, v }) => scaledDotProductAttention(q, k, v, { causal: true }));
    expect(lines(graph)).toMatchInlineSnapshot(`
      [
        "groupedQueries = reshape(q) {shape: [2,3,"N",4]} : f32[2, 3, N, 4]",
        "groupedKeys = reshape(k) {shape: [2,1,"N",4]} : f32[2, 1, N, 4]",
        "groupedValues = reshape(v) {shape: [2,1,"N",4]} : f32[2, 1, N, 4]",
        "scaledQueries = mulScalar(groupedQueries) {value: 0.5} : f32[2, 3, N, 4]",
        "keysTransposed = permute(groupedKeys) {axes: [0,1,3,2]} : f32[2, 1, 4, N]",
        "scores = matmul(scaledQueries, keysTransposed) : f32[2, 3, N, N]",
        "maskedScores = causalMask(scores) {rowStart: 0, columnStart: 0} : f32[2, 3, N, N]",
        "attention = softmax(maskedScores) {axis: 3} : f32[2, 3, N, N]",
        "groupedContext = matmul(attention, groupedValues) : f32[2, 3, N, 4]",
        "context = reshape(groupedContext) {shape: [6,"N",4]} : f32[6, N, 4]",
      ]
    `);
    // The same with every key head repeated three times, head by head.
    const each = (x: PlainTensor): PlainTensor => {
      const head = Array.from(x.data).length / 2;
      const data = Array.from(x.data);
      return {
        shape: [6, 5, 4],
        data: [0, 0, 0, 1, 1, 1].flatMap((h) => data.slice(h * head, (h + 1) * head)),
      };
    };
    const repeated = traced({ q: f32(6, 'N', 4), k: f32(6, 'N', 4), v: f32(6, 'N', 4) }, ({ q, k, v }) =>
      scaledDotProductAttention(q, k, v, { causal: true }),
    );
    const [q, k, v] = [numbers([6, 5, 4], 1), numbers([2, 5, 4], 2), numbers([2, 5, 4], 3)];
    const grouped = evalGraph(graph, { N: 5 }, { q, k, v }, new Map());
    const plain = evalGraph(repeated, { N: 5 }, { q, k: each(k), v: each(v) }, new Map());
    expect(grouped.output?.shape).toEqual([6, 5, 4]);
    expect(Array.from(grouped.output?.data ?? [])).toEqual(Array.from(plain.output?.data ?? []));
  });

  test('masks: f32 is added, i32 chooses; masks with heads follow the groups', () => {
    const graph = traced(
      { q: f32(4, 'N', 6), k: f32(2, 'N', 6), bias: f32(4, 'N', 'N'), keep: i32('N', 'N') },
      ({ q, k, bias, keep }) => ({
        biased: scaledDotProductAttention(q, k, k, { mask: bias }),
        kept: scaledDotProductAttention(q, q, q, { mask: keep }),
      }),
    );
    expect(lines(graph).filter((line) => /mask/i.test(line))).toMatchInlineSnapshot(`
      [
        "groupedMask = reshape(bias) {shape: [2,2,"N","N"]} : f32[2, 2, N, N]",
        "maskedScores = add(scores, groupedMask) : f32[2, 2, N, N]",
        "attention = softmax(maskedScores) {axis: 3} : f32[2, 2, N, N]",
        "maskedScores_1 = where(keep, scores_1, lowest) : f32[4, N, N]",
        "attention_1 = softmax(maskedScores_1) {axis: 2} : f32[4, N, N]",
      ]
    `);
  });

  test('equals its definition', () => {
    const graph = traced(inputs, ({ q, k, v }) => {
      const scores = matmul(mul(q, 1 / Math.sqrt(6)), transpose(k, 1, 2));
      return {
        made: scaledDotProductAttention(q, k, v, { causal: true }),
        spelled: matmul(softmax(causalMask(scores)), v),
      };
    });
    const data = { q: numbers([4, 3, 6], 1), k: numbers([4, 3, 6], 2), v: numbers([4, 3, 6], 3) };
    const { made, spelled } = evalGraph(graph, { N: 3 }, data, new Map());
    expect(made?.data).toEqual(spelled?.data);
  });

  test('heads that do not divide are an error with the call site', () => {
    expect(() =>
      traced({ q: f32(5, 'N', 6), k: f32(2, 'N', 6) }, ({ q, k }) => scaledDotProductAttention(q, k, k)),
    ).toThrow(
      /^scaledDotProductAttention: 5 query heads are not a multiple of 2 key heads: \[5, N, 6\] and \[2, N, 6\]\n {2}at test\/dsl\/attention\.test\.ts:\d+:\d+$/,
    );
  });

  test('an unknown number of channels needs a scale', () => {
    expect(() => traced({ q: f32('N', 'D') }, ({ q }) => scaledDotProductAttention(q, q, q))).toThrow(
      UserError,
    );
  });
});

describe('rotary embeddings', () => {
  test('tables hold cos and sin of position times frequency', () => {
    const graph = traced({}, () => {
      const { cos, sin } = ropeTables('N', 6, { theta: 100, start: 2 });
      return { cos, sin };
    });
    const { cos, sin } = evalGraph(graph, { N: 3 }, {}, new Map());
    expect(cos?.shape).toEqual([3, 3]);
    const angles = [2, 3, 4].flatMap((p) => [0, 1, 2].map((i) => p * Math.fround(100 ** (-i / 3))));
    angles.forEach((angle, i) => {
      expect(cos?.data[i]).toBeCloseTo(Math.cos(angle), 12);
      expect(sin?.data[i]).toBeCloseTo(Math.sin(angle), 12);
    });
  });

  test('scaling changes the frequencies', () => {
    const graph = traced({}, () => ropeTables(4, 4, { scaling: (f) => f.map((x) => x / 8) }).cos);
    expect(ops(graph).find((node) => node.op === 'constant')?.attrs.values).toEqual([
      1 / 8,
      Math.fround(0.01 / 8),
    ]);
  });

  test('tables are shared or made on the spot', () => {
    const shared = traced({ q: f32(2, 'N', 4) }, ({ q }) => {
      const rope = ropeTables('N', 4);
      return { a: rotary(q, rope), b: rotary(q, rope, { interleaved: true }) };
    });
    expect(lines(shared)).toMatchInlineSnapshot(`
      [
        "steps = iota() {length: "N", start: 0, step: 1} : i32[N]",
        "positions = reshape(steps) {shape: ["N",1]} : i32[N, 1]",
        "frequencies = constant() {shape: [1,2], values: [1,0.009999999776482582]} : f32[1, 2]",
        "angles = mul(positions, frequencies) : f32[N, 2]",
        "cos = cos(angles) : f32[N, 2]",
        "sin = sin(angles) : f32[N, 2]",
        "a = rotary(q, cos, sin) {interleaved: false} : f32[2, N, 4]",
        "b = rotary(q, cos, sin) {interleaved: true} : f32[2, N, 4]",
      ]
    `);
    const alone = traced({ q: f32(2, 'N', 4) }, ({ q }) => rotary(q, { theta: 500000 }));
    expect(lines(alone).at(-1)).toBe(
      'rotary = rotary(q, cos, sin) {"interleaved":false} : f32[2, N, 4]'.replace(
        '"interleaved":',
        'interleaved: ',
      ),
    );
  });

  test('scores depend on the distance of positions only', () => {
    const graph = traced({ x: f32(1, 4) }, ({ x }) => {
      const rows = add(constant([0, 0, 0], [3, 1]), x);
      const turned = rotary(rows, { theta: 10 });
      return reshape(matmul(turned, transpose(turned, 0, 1)), [9]) as Tensor;
    });
    const { output } = evalGraph(graph, {}, { x: numbers([1, 4], 1) }, new Map());
    const s = output?.data as Float64Array;
    expect(s[1]).toBeCloseTo(s[5] as number, 6);
    expect(s[0]).toBeCloseTo(s[8] as number, 6);
    expect(Math.abs((s[1] as number) - (s[2] as number))).toBeGreaterThan(1e-3);
  });
});
