import type { GeneratedModule, RangeModule } from './codegen/load.ts';
import { parseBudget } from './compiler/budget.ts';
import type { CostModel } from './compiler/cost/cost-model.ts';
import { planWithinSlowdown } from './compiler/max-slowdown.ts';
import { assignOffsets } from './compiler/memory/offsets.ts';
import { type PlanOptions, plan } from './compiler/pipeline.ts';
import { planRange, type RangeDims } from './compiler/range/plan-range.ts';
import type { Model } from './dsl/model.ts';
import type { Bindings } from './ir/dims.ts';
import type { Graph } from './ir/node.ts';
import type { Backend } from './ir/ops/op.ts';
import type { Budget, Plan } from './ir/plan.ts';
import type { RangePlan } from './ir/range-plan.ts';
import type { Device } from './runtime/device.ts';
import type { Tensor } from './runtime/tensor.ts';
import { trace } from './trace/tracer.ts';

export interface CompileOptions {
  /** Values of the model's named dimensions, all of them. */
  readonly dims?: Bindings;
  /** `'20%'` of the unchunked peak, `'512MiB'`, `'min'`, or a parsed {@link Budget}. */
  readonly budget: Budget | string;
  /**
   * The most time that loops may add, as predicted: 0.05 is 5 % more than the model without loops takes. With the budget
   * `min` the plan is the smallest that keeps it; with another budget it must keep both.
   */
  readonly maxSlowdown?: number;
  /** Largest single storage in bytes that the device can bind. */
  readonly cap?: number;
  readonly backend?: Backend;
  /** The speed of the device, as `autochunk tune` measures it (default: what autochunk ships for the backend). */
  readonly costModel?: CostModel;
  /** False: no loop splits a sum or a softmax, and results have the bits of the unchunked model. Default true. */
  readonly splitReductions?: boolean;
  /** False: every elementwise op runs by itself. Default true. */
  readonly fuse?: boolean;
  /** The model's file, for the header of the generated module. */
  readonly modelFile?: string;
  /** Called before each compiler pass and before code generation. */
  readonly onProgress?: (stage: string) => void;
  readonly signal?: AbortSignal;
}

export interface Compilation {
  /** As traced: symbolic in its named dimensions. */
  readonly graph: Graph;
  readonly plan: Plan;
  /** The generated TypeScript module. */
  readonly source: string;
}

/** Like {@link CompileOptions}, with a range of sizes for one dimension: `{ N: { from: 1, to: 8192 } }`. */
export interface RangeCompileOptions extends Omit<CompileOptions, 'dims'> {
  readonly dims: RangeDims;
}

export interface RangeCompilation {
  /** As traced: symbolic in its named dimensions. */
  readonly graph: Graph;
  readonly plan: RangePlan;
  /** The generated TypeScript module, for every size in the range. */
  readonly source: string;
}

/**
 * Traces a model, plans its chunk loops and writes the module that runs them: for one size of every named dimension, or
 * for a range of one of them.
 *
 * @throws UserError for a model that does not trace, dimensions that are unbound or not positive integers, and budgets
 *   below the smallest peak the search can reach; for a range it names the largest size that fits.
 */
export async function compileModel(model: Model, options: CompileOptions): Promise<Compilation>;
export async function compileModel(model: Model, options: RangeCompileOptions): Promise<RangeCompilation>;
export async function compileModel(
  model: Model,
  options: CompileOptions | RangeCompileOptions,
): Promise<Compilation | RangeCompilation> {
  const graph = trace(model);
  return hasRange(options) ? compileRange(graph, options) : compileGraph(graph, options);
}

const hasRange = (options: CompileOptions | RangeCompileOptions): options is RangeCompileOptions =>
  Object.values(options.dims ?? {}).some((size) => typeof size === 'object');

/** Like {@link compileModel}, from a graph that is already traced. */
export async function compileGraph(graph: Graph, options: CompileOptions): Promise<Compilation> {
  const planned = planGraph(graph, options);
  options.onProgress?.('generate');
  return { graph, plan: planned, source: await generate(planned, options.modelFile) };
}

/** Like {@link compileGraph}, for a range of one named dimension. */
export async function compileRange(graph: Graph, options: RangeCompileOptions): Promise<RangeCompilation> {
  const planned = planGraphRange(graph, options);
  options.onProgress?.('generate');
  const { generateRangeModule } = await import('./codegen/generate-range.ts');
  const meta = options.modelFile === undefined ? {} : { modelFile: options.modelFile };
  return { graph, plan: planned, source: generateRangeModule(planned, meta) };
}

/** The plan alone. Unlike {@link compileGraph} it never loads the code generator, which weighs megabytes in a browser. */
export function planGraph(graph: Graph, options: CompileOptions): Plan {
  const { maxSlowdown, dims = {} } = options;
  const wanted = { dims, ...planOptions(options) };
  return maxSlowdown === undefined
    ? plan(graph, wanted)
    : planWithinSlowdown(graph, { ...wanted, maxSlowdown });
}

/** The plan of {@link compileRange} alone. */
export const planGraphRange = (graph: Graph, options: RangeCompileOptions): RangePlan =>
  planRange(graph, { dims: options.dims, ...planOptions(options) });

/** What the compiler makes of options with texts and defaults. */
export const planOptions = (options: Omit<CompileOptions, 'dims'>): Omit<PlanOptions, 'dims'> => ({
  budget: typeof options.budget === 'string' ? parseBudget(options.budget) : options.budget,
  backend: options.backend ?? 'webasm',
  ...(options.cap === undefined ? {} : { cap: options.cap }),
  ...(options.costModel === undefined ? {} : { costModel: options.costModel }),
  ...(options.splitReductions === undefined ? {} : { splitReductions: options.splitReductions }),
  ...(options.fuse === undefined ? {} : { fuse: options.fuse }),
  ...(options.onProgress === undefined ? {} : { onPass: options.onProgress }),
  ...(options.signal === undefined ? {} : { signal: options.signal }),
});

/** The same model without any loop, as a plan: the baseline that chunked runs are compared with. */
export const unchunkedPlan = (plan: Plan): Plan => ({
  ...plan,
  program: plan.unchunkedProgram,
  planned: plan.unchunked,
  loops: [],
  ...(plan.arena ? { arena: assignOffsets(plan.unchunkedProgram) } : {}),
  predictedSeconds: plan.predictedSeconds / (1 + plan.predictedSlowdown),
  predictedSlowdown: 0,
  cost: { nodes: 0, flops: 0, density: 0, stride: 0, total: 0 },
});

/** The TypeScript module for a plan. The generator is loaded on first use: browsers that only run modules never do. */
export async function generate(plan: Plan, modelFile?: string): Promise<string> {
  const { generateModule } = await import('./codegen/generate.ts');
  return generateModule(plan, modelFile === undefined ? {} : { modelFile });
}

/**
 * Loads the text of a generated module into this process.
 *
 * @param runtime the namespace of `autochunk/runtime`, which the module runs on
 * @throws UserError when the text is not a generated module
 */
export async function loadModule<D = Device, T = Tensor>(
  source: string,
  runtime: object,
): Promise<GeneratedModule<D, T>> {
  const load = await import('./codegen/load.ts');
  return load.loadModule<D, T>(source, runtime);
}

/**
 * Loads the text of a module that was generated for a range of sizes.
 *
 * @param runtime the namespace of `autochunk/runtime`, which the module runs on
 * @throws UserError when the text is not such a module
 */
export async function loadRangeModule<D = Device, T = Tensor>(
  source: string,
  runtime: object,
): Promise<RangeModule<D, T>> {
  const load = await import('./codegen/load.ts');
  return load.loadRangeModule<D, T>(source, runtime);
}
