import {
  add,
  amax,
  arange,
  concat,
  type Dim,
  defineModel,
  embedding,
  equal,
  expand,
  f32,
  full,
  gelu,
  i32,
  layerNorm,
  linear,
  matmul,
  mean,
  nn,
  param,
  permute,
  reshape,
  scaledDotProductAttention,
  slice,
  softmax,
  split,
  squeeze,
  sub,
  sum,
  type Tensor,
  trace,
  transpose,
  unsqueeze,
  where,
} from 'autochunk';
import { expect, expectTypeOf, test } from 'vitest';
import type { Product, Sum } from '../../src/dsl/product.ts';

/** Runs `body` while a model is traced: the types below are also what happens. */
function traced(body: (x: Tensor<['N', 768]>, ids: Tensor<['N']>) => void): void {
  trace(
    defineModel('types', { x: f32('N', 768), ids: i32('N') }, ({ x, ids }) => {
      body(x, ids);
      return x;
    }),
  );
}

test('element-wise ops broadcast like numpy', () =>
  traced((x) => {
    expectTypeOf(add(x, x)).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(add(x, 1)).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(sub(1, x)).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(add(x, full([768], 1))).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(add(full([12, 1, 768], 1), x)).toEqualTypeOf<Tensor<[12, 'N', 768]>>();
    expectTypeOf(equal(full(['N', 1], 1), full([768], 1))).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(where(equal(x, 0), 1, x)).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(gelu(x, 'tanh')).toEqualTypeOf<Tensor<['N', 768]>>();
  }));

test('contractions', () =>
  traced((x, ids) => {
    expectTypeOf(linear(x, param('w', [3072, 768]))).toEqualTypeOf<Tensor<['N', 3072]>>();
    expectTypeOf(linear(x, param('t', [768, 3072]), param('b', [3072]), { transposed: true })).toEqualTypeOf<
      Tensor<['N', 3072]>
    >();
    expectTypeOf(matmul(full([12, 'N', 64], 1), full([12, 64, 'M'], 1))).toEqualTypeOf<
      Tensor<[12, 'N', 'M']>
    >();
    expectTypeOf(matmul(full([4, 2, 'N', 64], 1), full([4, 1, 64, 'N'], 1))).toEqualTypeOf<
      Tensor<[4, 2, 'N', 'N']>
    >();
    expectTypeOf(softmax(x, -1)).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(layerNorm(x, param('g', [768]))).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(embedding(param('e', [100, 768]), ids)).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(nn.linear('fc', x, 3072)).toEqualTypeOf<Tensor<['N', 3072]>>();
    expectTypeOf(nn.positions('wpe', 'N', [1024, 768])).toEqualTypeOf<Tensor<['N', 768]>>();
    const q = full([12, 'N', 64], 1);
    const k = full([4, 'M', 64], 1);
    expectTypeOf(scaledDotProductAttention(q, k, full([4, 'M', 32], 1))).toEqualTypeOf<
      Tensor<[12, 'N', 32]>
    >();
  }));

test('reductions', () =>
  traced((x) => {
    expectTypeOf(sum(x)).toEqualTypeOf<Tensor<[]>>();
    expectTypeOf(mean(x, -1)).toEqualTypeOf<Tensor<['N']>>();
    expectTypeOf(amax(x, 0, { keepdims: true })).toEqualTypeOf<Tensor<[1, 768]>>();
    expectTypeOf(sum(full([2, 'N', 3], 1), [0, -1])).toEqualTypeOf<Tensor<['N']>>();
  }));

test('views', () =>
  traced((x) => {
    expectTypeOf(reshape(x, ['N', 12, 64])).toEqualTypeOf<Tensor<['N', 12, 64]>>();
    expectTypeOf(reshape(full(['N', 12, 64], 1), ['N', -1])).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(reshape(full(['B', 'N', 64], 1), ['B*N', 64])).toEqualTypeOf<Tensor<['B*N', 64]>>();
    expectTypeOf(transpose(x, 0, -1)).toEqualTypeOf<Tensor<[768, 'N']>>();
    expectTypeOf(permute(full(['N', 12, 64], 1), [1, 0, -1])).toEqualTypeOf<Tensor<[12, 'N', 64]>>();
    expectTypeOf(slice(x, 0, 0, 'M')).toEqualTypeOf<Tensor<['M', 768]>>();
    expectTypeOf(slice(x, -1, 0, 64)).toEqualTypeOf<Tensor<['N', 64]>>();
    expectTypeOf(concat([x, full(['N', 4], 1)], -1)).toEqualTypeOf<Tensor<['N', 772]>>();
    expectTypeOf(split(x, [512, 256], 1)).toEqualTypeOf<[Tensor<['N', 512]>, Tensor<['N', 256]>]>();
    expectTypeOf(split(x, 3, 1)).toEqualTypeOf<
      [Tensor<['N', number]>, Tensor<['N', number]>, Tensor<['N', number]>]
    >();
    expectTypeOf(expand(full([1, 768], 1), ['N', -1])).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(unsqueeze(x, 0)).toEqualTypeOf<Tensor<[1, 'N', 768]>>();
    expectTypeOf(unsqueeze(x, -1)).toEqualTypeOf<Tensor<['N', 768, 1]>>();
    expectTypeOf(squeeze(full([1, 768], 1), 0)).toEqualTypeOf<Tensor<[768]>>();
    expectTypeOf(arange('N')).toEqualTypeOf<Tensor<['N']>>();
  }));

test('sizes that are only numbers, and shapes of unknown rank, are checked when traced', () =>
  traced((x) => {
    const config: { width: number; heads: number } = { width: 768, heads: 12 };
    const w = nn.linear('fc', x, config.width);
    expectTypeOf(w).toEqualTypeOf<Tensor<['N', number]>>();
    expectTypeOf(add(w, x)).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(add(x, w)).toEqualTypeOf<Tensor<['N', 768]>>();
    expectTypeOf(linear(x, param('w', [config.width, config.width]))).toEqualTypeOf<Tensor<['N', number]>>();
    layerNorm(w, param('g', [768]));
    layerNorm(x, param('g', [config.width]));
    expectTypeOf(reshape(w, ['N', config.heads, 64])).toEqualTypeOf<Tensor<['N', number, 64]>>();
    expectTypeOf(reshape(w, ['N', config.heads, -1])).toEqualTypeOf<Tensor<['N', number, Dim]>>();
    expectTypeOf(concat([w, w], 1)).toEqualTypeOf<Tensor<['N', number]>>();

    const open: Tensor = x;
    expectTypeOf(add(open, x)).toEqualTypeOf<Tensor<Dim[]>>();
    expectTypeOf(matmul(open, transpose(open, 0, 1))).toEqualTypeOf<Tensor<Dim[]>>();
    expectTypeOf(softmax(open, -1)).toEqualTypeOf<Tensor>();
    expectTypeOf(sum(open, 1)).toEqualTypeOf<Tensor<Dim[]>>();
    linear(open, param('w', [768, 768]));
    layerNorm(open, param('g', [768]));
    reshape(open, [...open.shape.slice(0, -1), 12, 64]);
    concat([open, open], 0);
    const key = `n${config.heads}` as const;
    full([key, 2], 1);
  }));

test('extents multiply and add exactly', () => {
  expectTypeOf<Product<[768, 12]>>().toEqualTypeOf<9216>();
  expectTypeOf<Product<[50257, 3]>>().toEqualTypeOf<150771>();
  expectTypeOf<Product<[100, 10, 1]>>().toEqualTypeOf<1000>();
  expectTypeOf<Product<[1024, 1024, 64]>>().toEqualTypeOf<67108864>();
  expectTypeOf<Product<[99999, 99999]>>().toEqualTypeOf<9999800001>();
  expectTypeOf<Product<[]>>().toEqualTypeOf<1>();
  expectTypeOf<Sum<999, 1>>().toEqualTypeOf<1000>();
  expectTypeOf<Sum<5, 12345>>().toEqualTypeOf<12350>();
  traced((x) => {
    reshape(x, ['N', 2, 3, 128]);
    // @ts-expect-error 2 · 3 · 127 is not 768
    expect(() => reshape(x, ['N', 2, 3, 127])).toThrow('reshape: ');
  });
});

test('functions that are generic in a dimension', () => {
  function block<N extends string>(x: Tensor<[N, 768]>): Tensor<[N, 768]> {
    const wide = nn.linear('fc', x, 3072);
    expectTypeOf(wide).toEqualTypeOf<Tensor<[N, 3072]>>();
    return add(x, nn.linear('proj', gelu(wide), 768));
  }
  function attend<N extends string>(q: Tensor<[N, 64]>, k: Tensor<[N, 64]>): Tensor<[N, 64]> {
    const weights = softmax(matmul(q, transpose(k, 0, 1)), -1);
    expectTypeOf(weights).toEqualTypeOf<Tensor<[N, N]>>();
    return matmul(weights, k);
  }
  traced((x) => {
    expectTypeOf(block(x)).toEqualTypeOf<Tensor<['N', 768]>>();
    const q = slice(x, 1, 0, 64);
    expectTypeOf(attend(q, q)).toEqualTypeOf<Tensor<['N', 64]>>();
  });
});

test('what a model takes and gives', () => {
  const model = defineModel('m', { x: f32('N', 4), ids: i32('N', { below: 7 }) }, ({ x, ids }) => {
    expectTypeOf(x).toEqualTypeOf<Tensor<['N', 4]>>();
    expectTypeOf(ids).toEqualTypeOf<Tensor<['N']>>();
    return { y: x };
  });
  expectTypeOf(model.forward).returns.toEqualTypeOf<{ y: Tensor<['N', 4]> }>();
});
