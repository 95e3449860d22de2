import {
  abs,
  add,
  amax,
  arange,
  concat,
  constant,
  cos,
  div,
  embedding,
  equal,
  erf,
  exp,
  expand,
  f32,
  full,
  gather,
  gelu,
  greater,
  greaterEqual,
  i32,
  iota,
  layerNorm,
  less,
  lessEqual,
  linear,
  log,
  matmul,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  param,
  permute,
  pow,
  reciprocal,
  relu,
  reshape,
  rmsNorm,
  rsqrt,
  sigmoid,
  silu,
  sin,
  slice,
  softmax,
  split,
  sqrt,
  squeeze,
  sub,
  sum,
  tanh,
  transpose,
  unsqueeze,
  where,
} from 'autochunk';
import { expect, test } from 'vitest';
import { lines, traced } from './support.ts';

test('numbers become attributes, on either side', () => {
  const graph = traced({ x: f32('N') }, ({ x }) => ({
    a: add(1, x),
    b: sub(x, 2),
    c: sub(2, x),
    d: mul(x, 3),
    e: div(x, 4),
    f: div(4, x),
    g: pow(x, 2),
    h: pow(2, x),
    i: maximum(0, x),
    j: minimum(x, 1),
    p: less(0, x),
    q: lessEqual(x, 0),
    r: greater(0, x),
    s: greaterEqual(x, 0),
    t: equal(0, x),
    u: where(x, x, 0),
  }));
  expect(lines(graph)).toMatchInlineSnapshot(`
    [
      "a = addScalar(x) {value: 1} : f32[N]",
      "b = addScalar(x) {value: -2} : f32[N]",
      "c = rsubScalar(x) {value: 2} : f32[N]",
      "d = mulScalar(x) {value: 3} : f32[N]",
      "e = divScalar(x) {value: 4} : f32[N]",
      "f = rdivScalar(x) {value: 4} : f32[N]",
      "g = powScalar(x) {value: 2} : f32[N]",
      "base = full() {shape: [], value: 2} : f32[]",
      "h = pow(base, x) : f32[N]",
      "i = maximumScalar(x) {value: 0} : f32[N]",
      "j = minimumScalar(x) {value: 1} : f32[N]",
      "p = greaterScalar(x) {value: 0} : i32[N]",
      "q = lessEqualScalar(x) {value: 0} : i32[N]",
      "r = lessScalar(x) {value: 0} : i32[N]",
      "s = greaterEqualScalar(x) {value: 0} : i32[N]",
      "t = equalScalar(x) {value: 0} : i32[N]",
      "fill = full() {shape: [], value: 0} : f32[]",
      "u = where(x, x, fill) : f32[N]",
    ]
  `);
});

test('the ops of one or two tensors', () => {
  const graph = traced({ x: f32('N', 4), y: f32(4), i: i32('N', 4) }, ({ x, y, i }) => {
    const unary = [
      neg,
      abs,
      sqrt,
      rsqrt,
      exp,
      log,
      sin,
      cos,
      tanh,
      erf,
      sigmoid,
      silu,
      relu,
      reciprocal,
      gelu,
    ];
    for (const op of unary) op(x);
    gelu(x, 'tanh');
    for (const op of [add, sub, mul, div, pow, maximum, minimum, equal, less]) op(x, y);
    add(i, i);
    add(i, x);
    return where(equal(i, 0), x, y);
  });
  expect(lines(graph)).toMatchInlineSnapshot(`
    [
      "neg = neg(x) : f32[N, 4]",
      "abs = abs(x) : f32[N, 4]",
      "sqrt = sqrt(x) : f32[N, 4]",
      "rsqrt = rsqrt(x) : f32[N, 4]",
      "exp = exp(x) : f32[N, 4]",
      "log = log(x) : f32[N, 4]",
      "sin = sin(x) : f32[N, 4]",
      "cos = cos(x) : f32[N, 4]",
      "tanh = tanh(x) : f32[N, 4]",
      "erf = erf(x) : f32[N, 4]",
      "sigmoid = sigmoid(x) : f32[N, 4]",
      "silu = silu(x) : f32[N, 4]",
      "relu = relu(x) : f32[N, 4]",
      "reciprocal = reciprocal(x) : f32[N, 4]",
      "gelu = gelu(x) {tanh: false} : f32[N, 4]",
      "gelu_1 = gelu(x) {tanh: true} : f32[N, 4]",
      "add = add(x, y) : f32[N, 4]",
      "sub = sub(x, y) : f32[N, 4]",
      "mul = mul(x, y) : f32[N, 4]",
      "div = div(x, y) : f32[N, 4]",
      "pow = pow(x, y) : f32[N, 4]",
      "maximum = maximum(x, y) : f32[N, 4]",
      "minimum = minimum(x, y) : f32[N, 4]",
      "equal = equal(x, y) : i32[N, 4]",
      "less = less(x, y) : i32[N, 4]",
      "add_1 = add(i, i) : i32[N, 4]",
      "add_2 = add(i, x) : f32[N, 4]",
      "equal_1 = equalScalar(i) {value: 0} : i32[N, 4]",
      "where = where(equal_1, x, y) : f32[N, 4]",
    ]
  `);
});

test('contractions, norms and tables', () => {
  const graph = traced({ x: f32('N', 4), ids: i32('N') }, ({ x, ids }) => {
    const w = param('w', [3, 4]);
    const y = linear(x, w, param('b', [3]));
    const z = linear(y, w, undefined, { transposed: true });
    const gain = param('gain', [4]);
    const normed = layerNorm(z, gain);
    const scaled = rmsNorm(normed, gain, { epsilon: 1e-5 });
    const p = softmax(matmul(scaled, transpose(x, -1, -2)));
    return { p, rows: embedding(param('table', [7, 4]), ids), taken: gather(param('other', [5, 4]), ids) };
  });
  expect(lines(graph)).toMatchInlineSnapshot(`
    [
      "y = linear(x, w, b) {transposed: false} : f32[N, 3]",
      "z = linear(y, w) {transposed: true} : f32[N, 4]",
      "zeros = full() {shape: [4], value: 0} : f32[4]",
      "normed = layerNorm(z, gain, zeros) {epsilon: 0.00001} : f32[N, 4]",
      "scaled = rmsNorm(normed, gain) {epsilon: 0.00001} : f32[N, 4]",
      "permute = permute(x) {axes: [1,0]} : f32[4, N]",
      "matmul = matmul(scaled, permute) : f32[N, N]",
      "p = softmax(matmul) {axis: 1} : f32[N, N]",
      "rows = embedding(table, ids) : f32[N, 4]",
      "taken = embedding(other, ids) : f32[N, 4]",
    ]
  `);
  expect(graph.inputs[1]).toMatchObject({ id: 'ids', below: 5 });
});

test('views, reductions and generators', () => {
  const graph = traced({ x: f32('N', 6, 4) }, ({ x }) => {
    const flat = reshape(x, ['N', -1]);
    const p = permute(x, [2, -3, 1]);
    const tail = slice(x, 0, -1);
    const middle = slice(x, 1, 1, -1);
    const head = slice(x, 0, 'M', 'M+2');
    const [left, right] = split(x, 2, 1);
    const three = split(x, [1, 2, 3], 1);
    const joined = concat([left, right, ...three], -2);
    const wide = expand(unsqueeze(sum(x, 2), -1), [-1, -1, 5]);
    const total = mean(x);
    const most = amax(x, [0, -1], { keepdims: true });
    const first = squeeze(slice(x, 1, 0, 1), 1);
    return {
      flat,
      p,
      tail,
      middle,
      head,
      joined,
      wide,
      total,
      most,
      first,
      n: arange('N'),
      m: arange(2, 'N'),
      evens: arange(4, 12, 2),
      odds: arange(1, 8, 2),
      i: iota('N', { start: 3, step: 2 }),
      f: full(['N', 2], 0.5),
      c: constant([1, 2, 3, 4], [2, 2]),
      v: constant([0.1]),
    };
  });
  expect(lines(graph)).toMatchInlineSnapshot(`
    [
      "flat = reshape(x) {shape: ["N",24]} : f32[N, 24]",
      "p = permute(x) {axes: [2,0,1]} : f32[4, N, 6]",
      "tail = slice(x) {axis: 0, start: "N-1", length: 1} : f32[1, 6, 4]",
      "middle = slice(x) {axis: 1, start: 1, length: 4} : f32[N, 4, 4]",
      "head = slice(x) {axis: 0, start: "M", length: 2} : f32[2, 6, 4]",
      "left = slice(x) {axis: 1, start: 0, length: 3} : f32[N, 3, 4]",
      "right = slice(x) {axis: 1, start: 3, length: 3} : f32[N, 3, 4]",
      "three_0 = slice(x) {axis: 1, start: 0, length: 1} : f32[N, 1, 4]",
      "three_1 = slice(x) {axis: 1, start: 1, length: 2} : f32[N, 2, 4]",
      "three_2 = slice(x) {axis: 1, start: 3, length: 3} : f32[N, 3, 4]",
      "joined = concat(left, right, three_0, three_1, three_2) {axis: 1} : f32[N, 12, 4]",
      "sum = sum(x) {axis: 2, keepdims: false} : f32[N, 6]",
      "reshape = reshape(sum) {shape: ["N",6,1]} : f32[N, 6, 1]",
      "wide = expand(reshape) {shape: ["N",6,5]} : f32[N, 6, 5]",
      "mean = mean(x) {axis: 2, keepdims: false} : f32[N, 6]",
      "mean_1 = mean(mean) {axis: 1, keepdims: false} : f32[N]",
      "total = mean(mean_1) {axis: 0, keepdims: false} : f32[]",
      "amax = amax(x) {axis: 2, keepdims: true} : f32[N, 6, 1]",
      "most = amax(amax) {axis: 0, keepdims: true} : f32[1, 6, 1]",
      "slice = slice(x) {axis: 1, start: 0, length: 1} : f32[N, 1, 4]",
      "first = reshape(slice) {shape: ["N",4]} : f32[N, 4]",
      "n = iota() {length: "N", start: 0, step: 1} : i32[N]",
      "m = iota() {length: "N-2", start: 2, step: 1} : i32[N-2]",
      "evens = iota() {length: 4, start: 2, step: 2} : i32[4]",
      "steps = iota() {length: 4, start: 0, step: 2} : i32[4]",
      "odds = addScalar(steps) {value: 1} : i32[4]",
      "i = iota() {length: "N", start: 3, step: 2} : i32[N]",
      "f = full() {shape: ["N",2], value: 0.5} : f32[N, 2]",
      "c = constant() {shape: [2,2], values: [1,2,3,4]} : f32[2, 2]",
      "v = constant() {shape: [1], values: [0.10000000149011612]} : f32[1]",
    ]
  `);
});
