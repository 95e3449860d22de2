/** The public surface of autochunk: the tensor DSL, tracing and the types of graphs and plans. */
export type { GeneratedModule, ModuleInfo, RangeModule, RangeModuleInfo } from './codegen/load.ts';
export {
  type Compilation,
  type CompileOptions,
  compileGraph,
  compileModel,
  compileRange,
  generate,
  loadModule,
  loadRangeModule,
  planGraph,
  planGraphRange,
  type RangeCompilation,
  type RangeCompileOptions,
  unchunkedPlan,
} from './compile.ts';
export { BudgetError, parseBudget } from './compiler/budget.ts';
export type { CostModel, FitError, KernelRates, Weights } from './compiler/cost/cost-model.ts';
export { COST_MODELS } from './compiler/cost/cost-models/index.ts';
export type { KernelClass } from './compiler/cost/kernel-class.ts';
export { readCostModel } from './compiler/cost/read-cost-model.ts';
export { SlowdownError } from './compiler/max-slowdown.ts';
export { type DefineOp, defineOp, type UserKernel } from './define-op.ts';
export { noChunk, preferChunk, region } from './dsl/hints.ts';
export {
  defineModel,
  f32,
  type IndexOptions,
  type InputSpec,
  type InputSpecs,
  type InputTensors,
  i32,
  isModel,
  type Model,
  type ModelOutput,
} from './dsl/model.ts';
export { type ConvLayerOptions, type LinearOptions, nn } from './dsl/nn.ts';
export { clamp, geglu, leakyRelu, maskedFill } from './dsl/ops/activation.ts';
export {
  type AttentionOptions,
  causalMask,
  type RopeOptions,
  type RopeTables,
  ropeTables,
  rotary,
  scaledDotProductAttention,
} from './dsl/ops/attention.ts';
export {
  embedding,
  gather,
  layerNorm,
  linear,
  logSoftmax,
  matmul,
  rmsNorm,
  softmax,
} from './dsl/ops/contract.ts';
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv2d,
  convTranspose2d,
} from './dsl/ops/conv.ts';
export { einsum, outer } from './dsl/ops/einsum.ts';
export {
  abs,
  add,
  cos,
  div,
  equal,
  erf,
  exp,
  gelu,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  reciprocal,
  relu,
  rsqrt,
  sigmoid,
  silu,
  sin,
  sqrt,
  sub,
  tanh,
  where,
} from './dsl/ops/elementwise.ts';
export { arange, constant, full, iota } from './dsl/ops/generate.ts';
export { type GroupNormOptions, groupNorm } from './dsl/ops/group-norm.ts';
export { pad, stack } from './dsl/ops/pad.ts';
export { avgPool2d, maxPool2d, type PoolOptions, upsampleNearest2d } from './dsl/ops/pool.ts';
export { amax, amin, mean, sum } from './dsl/ops/reduce.ts';
export { type TimestepOptions, timestepEmbedding } from './dsl/ops/timestep.ts';
export {
  concat,
  expand,
  permute,
  reshape,
  slice,
  split,
  squeeze,
  transpose,
  unsqueeze,
} from './dsl/ops/views.ts';
export { param, range, scope } from './dsl/scope.ts';
export type { Dim, Shape } from './dsl/shape.ts';
export type { Operand, Tensor } from './dsl/tensor.ts';
export { InternalError, UnsupportedError, UserError } from './errors.ts';
export type {
  DType,
  Graph,
  GraphInput,
  GraphOutput,
  GraphParam,
  LoopNode,
  Node,
  OpNode,
  SourceLocation,
} from './ir/node.ts';
export { type Backend, type OpDef, type RefTensor, ShapeError } from './ir/ops/op.ts';
export { type AccessPattern, type PatternOptions, pattern } from './ir/pattern.ts';
export type { Budget, Estimate, LoopReport, Plan } from './ir/plan.ts';
export { printGraph } from './ir/print.ts';
export { trace } from './trace/tracer.ts';
