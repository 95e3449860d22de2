/** Every kernel, by the name of its op: `k.matmul(a, b, { into })`. Kernels write all of `into` and allocate nothing. */

export {
  add,
  div,
  equal,
  expSub,
  greater,
  greaterEqual,
  less,
  lessEqual,
  maximum,
  minimum,
  mul,
  pow,
  sub,
  where,
} from './binary.ts';
export { causalSoftmax } from './causal-softmax.ts';
export { concat } from './concat.ts';
export { conv2d } from './conv.ts';
export { convTranspose2d } from './conv-transpose.ts';
export { einsum } from './einsum.ts';
export { embedding } from './embedding.ts';
export { formula, fused } from './fused.ts';
export { geglu } from './geglu.ts';
export { constant, full, iota } from './generate.ts';
export { groupNorm } from './group-norm.ts';
export { layerMoments, layerNormalise } from './layer-moments.ts';
export { causalMask } from './mask.ts';
export { linear, matmul } from './matmul.ts';
export { groupMoments, groupNormalise, mergeMoments } from './moments.ts';
export { layerNorm, rmsNorm } from './norm.ts';
export type { KernelOptions, ScratchOptions } from './options.ts';
export { pad } from './pad.ts';
export { avgPool2d, maxPool2d, upsampleNearest2d } from './pool.ts';
export { amax, amin, mean, sum } from './reduce.ts';
export { rotary } from './rotary.ts';
export {
  addScalar,
  clamp,
  divScalar,
  equalScalar,
  greaterEqualScalar,
  greaterScalar,
  leakyRelu,
  lessEqualScalar,
  lessScalar,
  maximumScalar,
  minimumScalar,
  mulScalar,
  powScalar,
  rdivScalar,
  rsubScalar,
} from './scalar.ts';
export { logSoftmax, softmax } from './softmax.ts';
export { cos, erf, gelu, sin } from './special.ts';
export { abs, copy, exp, log, neg, reciprocal, relu, rsqrt, sigmoid, silu, sqrt, tanh } from './unary.ts';
export { user } from './user.ts';
