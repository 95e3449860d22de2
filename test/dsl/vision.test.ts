import {
  add,
  avgPool2d,
  clamp,
  conv2d,
  convTranspose2d,
  einsum,
  f32,
  geglu,
  groupNorm,
  i32,
  leakyRelu,
  logSoftmax,
  maskedFill,
  maxPool2d,
  nn,
  outer,
  pad,
  param,
  stack,
  type Tensor,
  timestepEmbedding,
  upsampleNearest2d,
} from 'autochunk';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { evalGraph } from '../support/eval-graph.ts';
import { lines, traced } from './support.ts';

const message = (run: () => unknown): string => {
  try {
    run();
    return 'no error';
  } catch (error) {
    return (error as Error).message.split('\n')[0] as string;
  }
};

describe('convolutions', () => {
  test('keep symbolic extents where arithmetic allows, in types too', () => {
    const graph = traced({ x: f32('B', 4, '8*H', '8*W') }, ({ x }) => {
      const same = nn.conv2d('same', x, 6, 3, { padding: 1 });
      expectTypeOf(same).toEqualTypeOf<Tensor<['B', 6, '8*H', '8*W']>>();
      const halved = nn.conv2d('halved', same, 8, [3, 3], { stride: 2, padding: 1, bias: false });
      expectTypeOf(halved).toEqualTypeOf<Tensor<['B', 8, string, string]>>();
      const grouped = conv2d(halved, param('w', [8, 2, 1, 1]), undefined, { groups: 4 });
      const even = nn.conv2d('even', grouped, 8, [2, 3], { padding: [0, 1, 1, 1] });
      expectTypeOf(even).toEqualTypeOf<Tensor<['B', 8, string, string]>>();
      const sides = nn.conv2d('sides', x, 4, 3, { padding: [1, 1, 1, 1] });
      expectTypeOf(sides).toEqualTypeOf<Tensor<['B', 4, '8*H', '8*W']>>();
      const doubled = upsampleNearest2d(even, { scale: 2 });
      const joined = add(doubled, conv2d(x, param('shortcut', [8, 4, 1, 1]), param('b', [8])));
      const back = convTranspose2d(maxPool2d(joined, { kernel: 2 }), param('up', [8, 3, 2, 2]), undefined, {
        stride: 2,
      });
      return avgPool2d(back, { kernel: 8 });
    });
    expect(lines(graph)).toMatchInlineSnapshot(`
      [
        "same = conv2d(x, same_weight, same_bias) {stride: [1,1], padding: [1,1], dilation: [1,1]} : f32[B, 6, 8*H, 8*W]",
        "halved = conv2d(same, halved_weight) {stride: [2,2], padding: [1,1], dilation: [1,1]} : f32[B, 8, 4*H, 4*W]",
        "grouped = conv2d(halved, w) {stride: [1,1], padding: [0,0], dilation: [1,1]} : f32[B, 8, 4*H, 4*W]",
        "even = conv2d(grouped, even_weight, even_bias) {stride: [1,1], padding: [0,1,1,1], dilation: [1,1]} : f32[B, 8, 4*H, 4*W]",
        "sides = conv2d(x, sides_weight, sides_bias) {stride: [1,1], padding: [1,1], dilation: [1,1]} : f32[B, 4, 8*H, 8*W]",
        "doubled = upsampleNearest2d(even) {scale: 2} : f32[B, 8, 8*H, 8*W]",
        "conv2d = conv2d(x, shortcut, b) {stride: [1,1], padding: [0,0], dilation: [1,1]} : f32[B, 8, 8*H, 8*W]",
        "joined = add(doubled, conv2d) : f32[B, 8, 8*H, 8*W]",
        "maxPool2d = maxPool2d(joined) {kernel: [2,2], stride: [2,2], padding: [0,0], dilation: [1,1]} : f32[B, 8, 4*H, 4*W]",
        "back = convTranspose2d(maxPool2d, up) {stride: [2,2], padding: [0,0], dilation: [1,1], outputPadding: [0,0], channelsPerGroup: 8} : f32[B, 3, 8*H, 8*W]",
        "avgPool2d = avgPool2d(back) {kernel: [8,8], stride: [8,8], padding: [0,0], countIncludePad: true} : f32[B, 3, H, W]",
      ]
    `);
  });

  test('mistakes are told in words', () => {
    const trace = (forward: (x: Tensor<[1, 6, 9, 9]>) => Tensor) =>
      message(() => traced({ x: f32(1, 6, 9, 9) }, ({ x }) => forward(x)));
    const symbolic = message(() =>
      traced({ x: f32(1, 6, 'H', 9) }, ({ x }) => nn.conv2d('c', x, 2, 3, { stride: 2 })),
    );
    expect([
      trace((x) => conv2d(x, param('w', [4, 6, 3, 3]), undefined, { groups: 2 })),
      trace((x) => conv2d(x, param('w', [4, 6, 3, 3]), undefined, { groups: 4 })),
      trace((x) => conv2d(x, param('w', [5, 3, 3, 3]), undefined, { groups: 2 })),
      trace((x) => conv2d(x, param('w', [4, 6, 11, 3]))),
      trace((x) => conv2d(x, param('w', [4, 6, 3, 3]), undefined, { stride: 0 })),
      trace((x) => convTranspose2d(x, param('w', [4, 6, 3, 3]))),
      trace((x) => maxPool2d(x, { kernel: 3, padding: 2 })),
      trace((x) => maxPool2d(x, { kernel: 3, padding: [0, 2, 0, 1] })),
      trace((x) => nn.conv2d('c', x, 2, 3, { padding: [1, -1, 0, 0] })),
      trace((x) => upsampleNearest2d(x, { scale: 0.5 })),
      trace((x) => nn.groupNorm('n', x, { groups: 4 })),
      symbolic,
    ]).toMatchInlineSnapshot(`
      [
        "conv2d: expected a weight [out, 3, rows, columns] for [1, 6, 9, 9] in 2 groups, got [4, 6, 3, 3]",
        "conv2d: the channels of [1, 6, 9, 9] cannot be put into 4 groups",
        "conv2d: the channels of [1, 6, 9, 9] and of weight [5, 3, 3, 3] make no whole number of groups",
        "conv2d: a window of 11 does not fit into 9 elements with padding 0",
        "conv2d: expected stride to be two integers ≥ 1 (rows, columns), got [0, 0]",
        "convTranspose2d: expected a weight with 6 input channels for [1, 6, 9, 9], got [4, 6, 3, 3]",
        "maxPool2d: padding 2 is more than half of the window of 3",
        "maxPool2d: padding 0 and 2 is more than half of the window of 3",
        "conv2d: expected padding to be integers ≥ 0 (one, rows and columns, or top, bottom, left and right), got [1, -1, 0, 0]",
        "upsampleNearest2d: expected a positive integer as scale, got 0.5",
        "groupNorm: the channels of [1, 6, 9, 9] cannot be put into 4 groups",
        "conv2d: H elements in steps of 2 are no whole number for every H; write the extent as a multiple, such as '2*n'",
      ]
    `);
  });
});

describe('einsum', () => {
  test('two operands are one op, one operand is summed and permuted', () => {
    const graph = traced({ a: f32('S', 'N', 4), b: f32('S', 'N', 8) }, ({ a, b }) => {
      const pairs = einsum('sia,sjb->ijab', a, b);
      expectTypeOf(pairs).toEqualTypeOf<Tensor<['N', 'N', 4, 8]>>();
      return {
        pairs,
        rest: einsum('...a, ...b -> ...ab', a, b),
        implicit: einsum('sna,snb', a, b),
        one: einsum('sna->as', a),
        same: einsum('sna->sna', a),
      };
    });
    expect(lines(graph)).toMatchInlineSnapshot(`
      [
        "pairs = einsum(a, b) {equation: {"text":"sia,sjb->ijab"}} : f32[N, N, 4, 8]",
        "rest = einsum(a, b) {equation: {"text":"ABa,ABb->ABab"}} : f32[S, N, 4, 8]",
        "implicit = einsum(a, b) {equation: {"text":"sna,snb->ab"}} : f32[4, 8]",
        "sum = sum(a) {axis: 1, keepdims: false} : f32[S, 4]",
        "one = permute(sum) {axes: [1,0]} : f32[4, S]",
        "same = copy(a) : f32[S, N, 4]",
      ]
    `);
  });

  test('mistakes are told in words', () => {
    const trace = (equation: string) =>
      message(() =>
        traced({ a: f32('N', 4), b: f32('N', 8) }, ({ a, b }) => einsum(equation, a as Tensor, b as Tensor)),
      );
    expect(
      ['ij,jk->ik', 'ij,ik->ijz', 'ii,ik->k', 'ij->i', 'i,ik->k', 'i j; k', 'ij,ik->ii'].map(
        (equation) => `${equation}: ${trace(equation)}`,
      ),
    ).toMatchInlineSnapshot(`
      [
        "ij,jk->ik: einsum: j is 4 in [N, 4] and N in [N, 8]",
        "ij,ik->ijz: einsum: z appears only in the result of 'ij,ik->ijz'",
        "ii,ik->k: einsum: a label appears twice in 'ii' of 'ii,ik->k'; diagonals are not possible",
        "ij->i: einsum: 'ij->i' is for 1 operands, got 2; one or two are possible",
        "i,ik->k: einsum: 'i' of 'i,ik->k' does not name the axes of [N, 4]",
        "i j; k: einsum: expected an equation such as 'sia,sjb->ijab', got 'i j; k'",
        "ij,ik->ii: einsum: i appears twice in one term of 'ij,ik->ii'",
      ]
    `);
  });
});

test('the rest', () => {
  const graph = traced({ x: f32('N', 8), mask: i32('N', 1), y: f32(3) }, ({ x, mask, y }) => {
    const stacked = stack([x, x], 1);
    expectTypeOf(stacked).toEqualTypeOf<Tensor<['N', number, 8]>>();
    const product = outer(y, x);
    expectTypeOf(product).toEqualTypeOf<Tensor<[3, 'N', 8]>>();
    return {
      a: clamp(x, { min: 0, max: 1 }),
      b: clamp(x, { max: 1 }),
      c: leakyRelu(x),
      d: geglu(x),
      e: maskedFill(x, mask, Number.NEGATIVE_INFINITY),
      f: pad(x, [[1, 2]], -1),
      stacked,
      g: logSoftmax(x),
      product,
      h: groupNorm(x, param('w', [8]), param('b', [8]), { groups: 2 }),
    };
  });
  expect(lines(graph)).toMatchInlineSnapshot(`
    [
      "row = reshape(x) {shape: ["N",1,8]} : f32[N, 1, 8]",
      "row_1 = reshape(x) {shape: ["N",1,8]} : f32[N, 1, 8]",
      "stacked = concat(row, row_1) {axis: 1} : f32[N, 2, 8]",
      "rows = reshape(y) {shape: [3,1,1]} : f32[3, 1, 1]",
      "product = mul(rows, x) : f32[3, N, 8]",
      "a = clamp(x) {min: 0, max: 1} : f32[N, 8]",
      "b = minimumScalar(x) {value: 1} : f32[N, 8]",
      "c = leakyRelu(x) {slope: 0.01} : f32[N, 8]",
      "d = geglu(x) : f32[N, 4]",
      "fill = full() {shape: [], value: -3.4028234663852886e+38} : f32[]",
      "e = where(mask, fill, x) : f32[N, 8]",
      "f = pad(x) {before: [0,1], after: [0,2], value: -1} : f32[N, 11]",
      "g = logSoftmax(x) {axis: 1} : f32[N, 8]",
      "h = groupNorm(x, w, b_1) {channelsPerGroup: 4, epsilon: 0.00001} : f32[N, 8]",
    ]
  `);
});

test('timestep embeddings are those of diffusers', () => {
  const graph = traced({ t: f32('N') }, ({ t }) => ({
    plain: timestepEmbedding(t, 6),
    flipped: timestepEmbedding(t, 5, { flipSinToCos: true, downscaleFreqShift: 0, maxPeriod: 100 }),
  }));
  const t = [0, 0.5, 981];
  const { plain, flipped } = evalGraph(graph, { N: 3 }, { t: { shape: [3], data: t } }, new Map());
  const expected = (width: number, shift: number, period: number, flip: boolean): number[] =>
    t.flatMap((time) => {
      const half = Math.floor(width / 2);
      const angles = Array.from(
        { length: half },
        (_, i) => time * Math.fround(Math.exp((-Math.log(period) * i) / (half - shift))),
      );
      const waves = [angles.map(Math.sin), angles.map(Math.cos)];
      return [...(flip ? waves.reverse() : waves).flat(), ...(width % 2 ? [0] : [])];
    });
  const check = (got: { data: Float64Array } | undefined, want: number[]): void => {
    expect(got?.data.length).toBe(want.length);
    got?.data.forEach((value, i) => void expect(value).toBeCloseTo(want[i] as number, 6));
  };
  check(plain, expected(6, 1, 10000, false));
  check(flipped, expected(5, 0, 100, true));
});
