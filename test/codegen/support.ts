import { estimate } from '../../src/compiler/memory/estimate.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { lowerWhole } from '../../src/compiler/memory/lower-whole.ts';
import { foldMasks } from '../../src/compiler/passes/fold-masks.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import type { NodeCut } from '../../src/ir/flow.ts';
import { loopSizes } from '../../src/ir/loop.ts';
import type { Graph, LoopNode } from '../../src/ir/node.ts';
import { parseGraph } from '../../src/ir/parse.ts';
import type { LoopReport, Plan } from '../../src/ir/plan.ts';
import { verify } from '../../src/ir/verify.ts';

const cost = { nodes: 0, flops: 0, density: 0, stride: 0, total: 0 };

function loopsOf(graph: Graph, depth = 0): { loop: LoopNode; depth: number }[] {
  return graph.nodes.flatMap((node) =>
    node.kind === 'loop' ? [{ loop: node, depth }, ...loopsOf(node.body, depth + 1)] : [],
  );
}

/** A plan without the search: the same computation without and with loops, both given as text. */
export function planOf(unchunkedText: string, chunkedText: string, dims: Record<string, number>): Plan {
  const graph = parseGraph(chunkedText);
  const whole = parseGraph(unchunkedText);
  verify(graph);
  verify(whole);
  const program = foldMasks(lower(graph));
  const unchunkedProgram = lowerWhole(whole, 'cpu');
  const planned = estimate(program);
  const unchunked = estimate(unchunkedProgram);
  const saved = unchunked.peakBytes - planned.peakBytes;
  const loops = loopsOf(graph).map(
    ({ loop, depth }): LoopReport => ({
      id: loop.id,
      path: loop.scope,
      over: loop.over,
      axisOf: loop.results[0]?.axis ?? 0,
      ...loopSizes(loop),
      depth,
      kind: 'concat',
      savesBytes: saved,
      savesAt: loop.body.nodes[0]?.id ?? '',
      cost,
    }),
  );
  return {
    model: graph.name,
    dims,
    backend: 'cpu',
    budget: { kind: 'bytes', bytes: planned.peakBytes },
    budgetBytes: planned.peakBytes,
    graph,
    program,
    unchunkedProgram,
    unchunked,
    planned,
    loops,
    predictedSeconds: 0.00051,
    predictedSlowdown: 0.021,
    cost,
    passes: [],
  };
}

/** The unchunked side of a plan as a plan of its own. */
export const unchunkedOf = (plan: Plan): Plan => ({
  ...plan,
  program: plan.unchunkedProgram,
  planned: plan.unchunked,
  loops: [],
});

const attentionHead = `
  input x: f32[40, 16]
  param h_attn_q_weight: f32[16, 16] key "h.attn.q.weight"
  param h_attn_k_weight: f32[16, 16] key "h.attn.k.weight"
  param h_attn_v_weight: f32[16, 16] key "h.attn.v.weight"
  q: f32[40, 16] = linear(x, h_attn_q_weight) in "h.attn" at "models/attention/model.ts":38:15
  keys: f32[40, 16] = linear(x, h_attn_k_weight) in "h.attn" at "models/attention/model.ts":39:15
  v: f32[40, 16] = linear(x, h_attn_v_weight) in "h.attn" at "models/attention/model.ts":40:15
  reshape: f32[40, 2, 8] = reshape(q) {shape: [40, 2, 8]} in "h.attn" at "models/attention/model.ts":41:18
  qHeads: f32[2, 40, 8] = permute(reshape) {axes: [1, 0, 2]} in "h.attn" at "models/attention/model.ts":41:10
  reshape_1: f32[40, 2, 8] = reshape(keys) {shape: [40, 2, 8]} in "h.attn" at "models/attention/model.ts":42:18
  kT: f32[2, 8, 40] = permute(reshape_1) {axes: [1, 2, 0]} in "h.attn" at "models/attention/model.ts":42:10
  reshape_2: f32[40, 2, 8] = reshape(v) {shape: [40, 2, 8]} in "h.attn" at "models/attention/model.ts":43:18
  vHeads: f32[2, 40, 8] = permute(reshape_2) {axes: [1, 0, 2]} in "h.attn" at "models/attention/model.ts":43:10`;

const attentionTail = `
  y: f32[2, 40, 8] = add(context, qHeads) at "models/attention/model.ts":50:13
  output "context" = context
  output "y" = y
}`;

const wholeAttention = `graph "attention" {${attentionHead}
  scores: f32[2, 40, 40] = matmul(qHeads, kT) in "h.attn" at "models/attention/model.ts":44:18
  masked: f32[2, 40, 40] = causalMask(scores) {rowStart: 0, columnStart: 0} in "h.attn" at "models/attention/model.ts":45:18
  weights: f32[2, 40, 40] = softmax(masked) {axis: 2} in "h.attn" at "models/attention/model.ts":46:19
  context: f32[2, 40, 8] = matmul(weights, vHeads) in "h.attn" at "models/attention/model.ts":47:19
${attentionTail}`;

/** The same attention, 20 rows of queries at a time, over 16 keys at a time in streaming form. */
export function streaming(): Plan {
  const cutAlong = (axis: number): [string, NodeCut][] =>
    ['scores', 'masked', 'weights'].map((id) => [id, { axis, multiple: 1 }]);
  const keys: [string, NodeCut][] = [...cutAlong(2), ['context', { contracts: 'inner', multiple: 1 }]];
  const rows: [string, NodeCut][] = [...cutAlong(1), ['context', { axis: 1, multiple: 1 }]];
  const made = plan(parseGraph(wholeAttention), {
    dims: {},
    budget: { kind: 'share', share: 1 },
    backend: 'cpu',
    choose: () => [
      {
        region: { cuts: new Map(rows), extent: 40 },
        chunkSize: 20,
        inner: [{ region: { cuts: new Map(keys), extent: 40 }, chunkSize: 16 }],
      },
    ],
  });
  // What follows from fitted rates changes with them.
  return { ...made, predictedSeconds: 0.00051, predictedSlowdown: 0.021 };
}

/** Two heads of causal attention over 40 tokens; 24 rows of queries at a time, then the rest. */
export const attention = (): Plan =>
  planOf(
    wholeAttention,
    `graph "attention" {${attentionHead}
  loop loop1 over "N" extent 40 chunk 24 start n0 length n in "h.attn" {
    slice qRows = qHeads axis 1 times 1
    whole kT, vHeads
    graph "loop1" {
      input qRows: f32[2, n, 8]
      input kT: f32[2, 8, 40]
      input vHeads: f32[2, 40, 8]
      scores: f32[2, n, 40] = matmul(qRows, kT) in "h.attn" at "models/attention/model.ts":44:18
      masked: f32[2, n, 40] = causalMask(scores) {rowStart: n0, columnStart: 0} in "h.attn" at "models/attention/model.ts":45:18
      weights: f32[2, n, 40] = softmax(masked) {axis: 2} in "h.attn" at "models/attention/model.ts":46:19
      rows: f32[2, n, 8] = matmul(weights, vHeads) in "h.attn" at "models/attention/model.ts":47:19
    }
    context: f32[2, 40, 8] = concat rows axis 1 times 1
  }
${attentionTail}`,
    { N: 40 },
  );

const mlpHead = `
  input tokens: i32[30] below 11
  param wte: f32[11, 8] key "wte.weight"
  param h_ln_weight: f32[8] key "h.ln.weight"
  param h_ln_bias: f32[8] key "h.ln.bias"
  param h_fc_weight: f32[8, 32] key "h.fc.weight"
  param h_fc_bias: f32[32] key "h.fc.bias"
  param h_proj_weight: f32[32, 8] key "h.proj.weight"
  x: f32[30, 8] = embedding(wte, tokens) at "models/mlp/model.ts":12:13`;

const mlp_ = (n: string, x: string, out: string) => `
  normed: f32[${n}, 8] = layerNorm(${x}, h_ln_weight, h_ln_bias) {epsilon: 0.000001} in "h" at "models/mlp/model.ts":20:20
  fc: f32[${n}, 32] = linear(normed, h_fc_weight, h_fc_bias) {transposed: true} in "h.mlp" at "models/mlp/model.ts":21:16
  hidden: f32[${n}, 32] = gelu(fc) {tanh: true} in "h.mlp" at "models/mlp/model.ts":21:11
  ${out}: f32[${n}, 8] = linear(hidden, h_proj_weight) {transposed: true} in "h.mlp" at "models/mlp/model.ts":22:12`;

/** A feed-forward block, seven rows at a time, rows given by a reshape that carries two rows a unit. */
export const mlp = (): Plan =>
  planOf(
    `graph "mlp" {${mlpHead}
  ${mlp_('30', 'x', 'projected')}
  y: f32[30, 8] = add(x, projected) at "models/mlp/model.ts":13:9
  output "y" = y
}`,
    `graph "mlp" {${mlpHead}
  loop loop1 over "N" extent 15 chunk 7 start n0 length n in "h" {
    slice xRows = x axis 0 times 2
    whole h_ln_weight, h_ln_bias, h_fc_weight, h_fc_bias, h_proj_weight
    graph "loop1" {
      input xRows: f32[2*n, 8]
      input h_ln_weight: f32[8]
      input h_ln_bias: f32[8]
      input h_fc_weight: f32[8, 32]
      input h_fc_bias: f32[32]
      input h_proj_weight: f32[32, 8]
      ${mlp_('2*n', 'xRows', 'rows')}
    }
    projected: f32[30, 8] = concat rows axis 0 times 2
  }
  y: f32[30, 8] = add(x, projected) at "models/mlp/model.ts":13:9
  output "y" = y
}`,
    { N: 30 },
  );

/** Every op once, on small operands. */
export function everyOp(): Plan {
  const unary = ['abs', 'neg', 'sqrt', 'rsqrt', 'exp', 'log', 'sin', 'cos', 'tanh', 'erf', 'sigmoid'];
  const more = ['silu', 'relu', 'reciprocal', 'copy'];
  const binary = ['add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum', 'expSub'];
  const compare = ['equal', 'less', 'lessEqual', 'greater', 'greaterEqual'];
  const scalar = ['add', 'mul', 'div', 'pow', 'maximum', 'minimum', 'rsub', 'rdiv'].map(
    (op) => `${op}Scalar`,
  );
  const reduce = ['sum', 'mean', 'amax', 'amin'];
  const lines = [
    ...[...unary, ...more].map((op) => `${op}_: f32[4, 6] = ${op}(x)`),
    ...binary.map((op) => `${op}_: f32[4, 6] = ${op}(x, b)`),
    ...compare.map((op) => `${op}_: i32[4, 6] = ${op}(x, b)`),
    ...scalar.map((op) => `${op}_: f32[4, 6] = ${op}(x) {value: 1.5}`),
    ...compare.map((op) => `${op}Scalar_: i32[4, 6] = ${op}Scalar(x) {value: 0.5}`),
    ...reduce.map((op) => `${op}_: f32[4] = ${op}(x) {axis: 1, keepdims: false}`),
    'sumKept: f32[1, 6] = sum(x) {axis: 0, keepdims: true}',
    'gelu_: f32[4, 6] = gelu(x) {tanh: true}',
    'geluErf: f32[4, 6] = gelu(x) {tanh: false}',
    'where_: f32[4, 6] = where(less_, x, b)',
    'fused_: f32[4, 6] = fused(x, b) {formula: text "sigmoid(a + b) * a"} at "model.ts":4:1 parts [sum at "model.ts":3:1, gate in "it\'s" at "other.ts":1:1]',
    'fusedAgain: f32[4, 6] = fused(b, x) {formula: text "sigmoid(a + b) * a"} at "model.ts":5:1',
    'addSigmoidMul: f32[4, 6] = fused(x) {formula: text "clamp(a, min: -1, max: 1) - -a"} at "model.ts":6:1',
    'xT: f32[6, 4] = permute(x) {axes: [1, 0]}',
    'matmul_: f32[4, 4] = matmul(x, xT)',
    'linear_: f32[4, 4] = linear(x, x) {transposed: false}',
    'linearT: f32[4, 4] = linear(x, xT, amax_) {transposed: true}',
    'softmax_: f32[4, 6] = softmax(x) {axis: 1}',
    'layerNorm_: f32[4, 6] = layerNorm(x, b, b) {epsilon: 0.00001}',
    'rowMoments: f32[4, 3] = layerMoments(x)',
    'normalisedRows: f32[4, 6] = layerNormalise(x, rowMoments, b, b) {epsilon: 0.00001}',
    'rmsNorm_: f32[4, 6] = rmsNorm(x, b) {epsilon: 0.000001}',
    'part: f32[4, 2] = slice(x) {axis: 1, start: 1, length: 2}',
    'wide: f32[3, 4, 2] = expand(part) {shape: [3, 4, 2]}',
    'flat: f32[24] = reshape(x) {shape: [24]}',
    'concat_: f32[4, 8] = concat(x, part) {axis: 1}',
    'embedding_: f32[3, 6] = embedding(x, ids)',
    'iota_: i32[5] = iota() {length: 5, start: 2, step: 3}',
    'full_: f32[2, 2] = full() {shape: [2, 2], value: -0.5}',
    'constant_: f32[3] = constant() {shape: [3], values: [1, -0.25, 0.000001]}',
    'causalMask_: f32[4, 4] = causalMask(matmul_) {rowStart: 0, columnStart: 1}',
    'causalSoftmax_: f32[4, 4] = causalSoftmax(matmul_) {rowStart: 0, columnStart: 1}',
    'rotary_: f32[4, 4] = rotary(matmul_, part, part) {interleaved: true}',
    'clamp_: f32[4, 6] = clamp(x) {min: -1, max: 0.5}',
    'leakyRelu_: f32[4, 6] = leakyRelu(x) {slope: 0.2}',
    'logSoftmax_: f32[4, 6] = logSoftmax(x) {axis: 1}',
    'geglu_: f32[4, 3] = geglu(x)',
    'pad_: f32[4, 9] = pad(x) {before: [0, 1], after: [0, 2], value: 0}',
    'einsum_: f32[6, 2] = einsum(x, part) {equation: text "ij,ik->jk"}',
    'image: f32[1, 2, 3, 4] = reshape(x) {shape: [1, 2, 3, 4]}',
    'taps: f32[4, 2, 3, 1] = reshape(x) {shape: [4, 2, 3, 1]}',
    'tapsT: f32[2, 3, 2, 2] = reshape(x) {shape: [2, 3, 2, 2]}',
    'two: f32[2] = slice(amax_) {axis: 0, start: 0, length: 2}',
    'conv2d_: f32[1, 4, 3, 4] = conv2d(image, taps, amax_) {stride: [1, 1], padding: [1, 0], dilation: [1, 1]}',
    'convTranspose2d_: f32[1, 3, 6, 8] = convTranspose2d(image, tapsT) {stride: [2, 2], padding: [0, 0], dilation: [1, 1], outputPadding: [0, 0], channelsPerGroup: 2}',
    'maxPool2d_: f32[1, 2, 2, 2] = maxPool2d(image) {kernel: [2, 2], stride: [2, 2], padding: [1, 0], dilation: [1, 1]}',
    'avgPool2d_: f32[1, 2, 1, 4] = avgPool2d(image) {kernel: [3, 1], stride: [1, 1], padding: [0, 0], countIncludePad: true}',
    'upsampleNearest2d_: f32[1, 2, 6, 8] = upsampleNearest2d(image) {scale: 2}',
    'groupNorm_: f32[1, 2, 3, 4] = groupNorm(image, two, two) {channelsPerGroup: 1, epsilon: 0.00001}',
    'moments: f32[1, 2, 3] = groupMoments(image) {channelsPerGroup: 1}',
    'merged: f32[1, 2, 3] = mergeMoments(moments, moments)',
    'normalised: f32[1, 2, 3, 4] = groupNormalise(image, merged, two, two) {channelsPerGroup: 1, epsilon: 0.00001}',
  ];
  const outputs = lines.map((line) => line.split(':')[0] as string);
  const text = `graph "every op" {
  input x: f32[4, 6]
  input b: f32[6]
  input ids: i32[3] below 4
  ${lines.join('\n  ')}
  ${outputs.map((id) => `output "${id}" = ${id}`).join('\n  ')}
}`;
  return planOf(text, text, {});
}

/** A loop inside a loop, both over rows; no parameters; values named like things of the module. */
export const nested = (): Plan =>
  planOf(
    `graph "nested" {
  input inputs: f32[7, 10]
  k: f32[7, 10] = exp(inputs)
  info: f32[7, 10] = sigmoid(k)
  n0: f32[7, 10] = neg(info)
  output "out" = n0
}`,
    `graph "nested" {
  input inputs: f32[7, 10]
  loop loop1 over "N" extent 7 chunk 2 start n_start length n_ {
    slice rows = inputs axis 0 times 1
    graph "loop1" {
      input rows: f32[n_, 10]
      k: f32[n_, 10] = exp(rows)
      loop loop2 over "N" extent 5 chunk 3 start n_0_2 length n_2 {
        slice columns = k axis 1 times 2
        graph "loop2" {
          input columns: f32[n_, 2*n_2]
          device: f32[n_, 2*n_2] = sigmoid(columns)
        }
        info: f32[n_, 10] = concat device axis 1 times 2
      }
      run: f32[n_, 10] = neg(info)
    }
    n0: f32[7, 10] = concat run axis 0 times 1
  }
  output "out" = n0
}`,
    { N: 7 },
  );

/** A residual block over an image, five rows of its result at a time: windows that slide, with strides, and a sum of both depths. */
export const residual = (): Plan =>
  planOf(
    `graph "residual" {
  input image: f32[1, 4, 24, 16]
  param conv1_weight: f32[8, 4, 3, 3] key "conv1.weight"
  param conv1_bias: f32[8] key "conv1.bias"
  param conv2_weight: f32[8, 8, 5, 5] key "conv2.weight"
  features: f32[1, 8, 12, 8] = conv2d(image, conv1_weight, conv1_bias) {stride: [2, 2], padding: [1, 1], dilation: [1, 1]} in "block" at "models/residual/model.ts":12:20
  active: f32[1, 8, 12, 8] = silu(features) in "block" at "models/residual/model.ts":13:18
  mixed: f32[1, 8, 12, 8] = conv2d(active, conv2_weight) {stride: [1, 1], padding: [2, 2], dilation: [1, 1]} in "block" at "models/residual/model.ts":14:17
  sum: f32[1, 8, 12, 8] = add(features, mixed) in "block" at "models/residual/model.ts":15:10 symbolic [1, 8, "H", "W"]
  output "sum" = sum
}`,
    `graph "residual" {
  input image: f32[1, 4, 24, 16]
  param conv1_weight: f32[8, 4, 3, 3] key "conv1.weight"
  param conv1_bias: f32[8] key "conv1.bias"
  param conv2_weight: f32[8, 8, 5, 5] key "conv2.weight"
  loop loop1 over "H" extent 12 chunk 5 start h0 length h in "block" {
    halo h_from length h_with times 1 before 2 after 2 of 12
    halo h_from_2 length h_with_2 times 2 before 5 after 4 of 24
    slice image_slice = image axis 2 times 2 halo h_from_2
    whole conv1_weight, conv1_bias, conv2_weight
    graph "loop1" {
      dims h0, h, h_from, h_with, h_from_2, h_with_2
      input image_slice: f32[1, 4, h_with_2, 16]
      input conv1_weight: f32[8, 4, 3, 3]
      input conv1_bias: f32[8]
      input conv2_weight: f32[8, 8, 5, 5]
      features: f32[1, 8, h_with, 8] = conv2d(image_slice, conv1_weight, conv1_bias) {stride: [2, 2], padding: [-2*h_from+h_from_2+1, 2*h_from-h_from_2+2*h_with-h_with_2, 1, 1], dilation: [1, 1]} in "block" at "models/residual/model.ts":12:20
      active: f32[1, 8, h_with, 8] = silu(features) in "block" at "models/residual/model.ts":13:18
      mixed: f32[1, 8, h, 8] = conv2d(active, conv2_weight) {stride: [1, 1], padding: [-h0+h_from+2, h+h0-h_from-h_with+2, 2, 2], dilation: [1, 1]} in "block" at "models/residual/model.ts":14:17
      sum_chunk: f32[1, 8, h, 8] = add(features[axis 2 start h0-h_from length h], mixed) in "block" at "models/residual/model.ts":15:10 symbolic [1, 8, H, W]
      output "sum" = sum_chunk
    }
    sum: f32[1, 8, 12, 8] = concat sum_chunk axis 2 times 1
  }
  output "sum" = sum
}`,
    { H: 12 },
  );
