import { invariant, UserError } from '../../errors.ts';
import { type Bindings, dimTerms, evalDim, printShape } from '../../ir/dims.ts';
import type { Graph } from '../../ir/node.ts';
import type { ChunkRule, DimRange, RangePlan } from '../../ir/range-plan.ts';
import { isIdentifier } from '../../ir/verify-names.ts';
import { budgetBytes } from '../budget.ts';
import type { Weights } from '../cost/cost-model.ts';
import { COST_MODELS } from '../cost/cost-models/index.ts';
import { programSeconds } from '../cost/seconds.ts';
import { placeLoops } from '../loops/place-loops.ts';
import type { Choice } from '../loops/region.ts';
import { estimate } from '../memory/estimate.ts';
import { lower } from '../memory/lower.ts';
import { lowerWhole } from '../memory/lower-whole.ts';
import { analyse } from '../memory/state.ts';
import { foldMasks } from '../passes/fold-masks.ts';
import { fuse } from '../passes/fuse.ts';
import { limitProducts } from '../passes/limit-products.ts';
import { order } from '../passes/order.ts';
import { simplify } from '../passes/simplify.ts';
import { skipMasked } from '../passes/skip-masked.ts';
import { bindSome } from '../passes/specialise.ts';
import { checkCap, type PlanOptions, timePasses } from '../pipeline.ts';
import { type LoopSummary, reportLoops } from '../report.ts';
import type { SelectOptions } from '../search/select.ts';
import { chunkRules, chunkSizes, type Limits, type RuledProgram } from './chunk-rules.ts';
import type { Interval } from './polynomial.ts';
import { RangeGraph } from './range-graph.ts';
import { type PlacedLoops, searchRange, withoutIdle } from './range-search.ts';

/** Values of the named dimensions; one of them has a range. */
export type RangeDims = Readonly<Record<string, number | DimRange>>;

export interface RangeOptions extends Omit<PlanOptions, 'dims' | 'choose'> {
  readonly dims: RangeDims;
}

/**
 * Compiles a traced graph for a range of one named dimension: loops that are chosen near the upper end, with chunk sizes
 * that follow from the size when the module runs.
 *
 * That the peak stays within the budget at every size of the range is proved here, not sampled: with chunks of one unit
 * the bytes alive at any moment are a polynomial in the size, whose largest value over the range is computed exactly; larger
 * chunks are only taken where the same polynomials say that they fit.
 *
 * @throws UserError for dimensions that do not fit, and BudgetError, which names the largest size that fits.
 */
export function planRange(graph: Graph, options: RangeOptions): RangePlan {
  const { passes, pass, graphPass } = timePasses(options);
  const { interval, fixed } = splitDims(graph, options.dims);
  const { name, from, to } = interval;
  const cap = checkCap(options.cap);
  const costModel = options.costModel ?? COST_MODELS[options.backend];

  const bound = graphPass('bind', () => bindSome(graph, fixed));
  const simple = graphPass('simplify', () => simplify(bound));
  const symbolic = options.fuse === false ? simple : graphPass('fuse', () => fuse(simple));
  checkInputs(symbolic, name);
  const written = pass('specialise', () => new RangeGraph(symbolic, interval));
  const unchunkedAt = (size: number) => estimate(lowerWhole(written.at(size), options.backend));
  const unchunked = pass('estimate', () => unchunkedAt(to));
  const lowest = unchunkedAt(from);
  const budget = budgetBytes(options.budget, unchunked.peakBytes);
  const graphs = pass('order', () =>
    budget !== undefined && unchunked.peakBytes <= budget
      ? written
      : written.inOrder(order(written.at(written.anchor())).nodes.map(({ id }) => id)),
  );
  const selection = {
    budget,
    cap,
    weights: costModel.weights,
    signal: options.signal,
    ...(options.onRejection ? { onRejection: options.onRejection } : {}),
  };
  const found = pass('search and select', () => searchRange(graphs, selection));
  const limits = { budget: budget ?? found.least.peakBytes(interval), cap: options.cap };
  const { placed, ruled } = pass('chunk rules', () =>
    ruledLoops(found, { ...selection, budget: limits.budget }, limits),
  );
  const { rules, peaks } = ruled;
  const program = pass('limit products', () => limitProducts(ruled.program, options.backend));
  const at = (size: number): Bindings => chunkSizes(rules, limits, { [name]: size });
  const planned = pass('estimate planned', () => estimate(program, at(to)));
  const summary = pass('report', () => report(placed, ruled, at(to), cap, costModel.weights));
  const seconds = pass('predict time', () => ({
    unchunked: programSeconds(lowerWhole(written.at(to), options.backend), costModel),
    planned: programSeconds(program, costModel, at(to)),
  }));
  const peakAt = (size: number): number => estimate(program, at(size)).peakBytes;
  for (const size of [from, to]) {
    invariant(peakAt(size) <= limits.budget, () => `${peakAt(size)} bytes at ${size} for ${limits.budget}`);
  }
  return {
    model: graph.name,
    over: name,
    range: { from, to },
    dims: fixed,
    backend: options.backend,
    budget: options.budget,
    budgetBytes: limits.budget,
    capBytes: options.cap,
    graph: renameChunks(placed.graph, ruled.ruleOf),
    program,
    rules,
    sizes: at(to),
    peaks,
    ends: [
      { size: from, unchunkedPeakBytes: lowest.peakBytes, plannedPeakBytes: peakAt(from) },
      { size: to, unchunkedPeakBytes: unchunked.peakBytes, plannedPeakBytes: planned.peakBytes },
    ],
    unchunked,
    planned,
    ...summary,
    predictedSeconds: seconds.planned,
    predictedSlowdown: seconds.unchunked === 0 ? 0 : seconds.planned / seconds.unchunked - 1,
    passes,
  };
}

/** The chunk sizes and the peak of a plan at one size, as its module computes them. @throws UserError outside the range */
export function planAtSize(
  plan: RangePlan,
  size: number,
): { readonly bindings: Bindings; readonly peakBytes: number } {
  const { over, range, rules, budgetBytes: budget, capBytes: cap } = plan;
  if (!Number.isInteger(size) || size < range.from || size > range.to) {
    throw new UserError(
      `${over} = ${size} is outside the range ${range.from} … ${range.to} of ${plan.model}`,
    );
  }
  const bindings = chunkSizes(rules, { budget, cap }, { [over]: size });
  return { bindings, peakBytes: Math.max(...plan.peaks.map((dim) => evalDim(dim, bindings))) };
}

/** The chunk rules of loops, without those loops that no size needs. */
function ruledLoops(
  found: PlacedLoops,
  selection: SelectOptions,
  limits: Limits,
): { placed: PlacedLoops; ruled: RuledProgram } {
  const { interval } = found.graphs;
  for (let placed = found; ; ) {
    const ruled = chunkRules(placed.program, { interval, limits, planned: placed.planned });
    const unlimited = new Set(ruled.rules.filter(({ rooms }) => rooms.length === 0).map(({ name }) => name));
    const idle = [...ruled.ruleOf].filter(([, rule]) => unlimited.has(rule)).map(([name]) => name);
    const fewer = idle.length === 0 ? placed : withoutIdle(placed, new Set(idle), selection);
    if (fewer === placed) return { placed, ruled };
    placed = fewer;
  }
}

/** What the loops save and cost at one size. */
function report(
  { graphs, choices }: PlacedLoops,
  { rules, ruleOf }: RuledProgram,
  bindings: Bindings,
  cap: number,
  weights: Weights,
): LoopSummary {
  const inNumbers = ({ region, chunkName = '', inner }: Choice): Choice => {
    const rule = rules.find(({ name }) => name === ruleOf.get(chunkName)) as ChunkRule;
    const one = {
      region: { cuts: region.cuts, extent: evalDim(rule.extent, bindings) },
      chunkSize: bindings[rule.name] as number,
    };
    return inner ? { ...one, inner: inner.map(inNumbers) } : one;
  };
  const whole = graphs.at(bindings[graphs.interval.name] as number);
  const bound = choices.map(inNumbers);
  const chunked = placeLoops(whole, bound);
  const program = foldMasks(skipMasked(lower(chunked)));
  return reportLoops({ program, choices: bound, unchunked: analyse(whole, cap) }, weights);
}

/** @throws UserError unless the size can be read off the shape of an input */
function checkInputs(graph: Graph, over: string): void {
  const named = graph.inputs.flatMap(({ id, shape }) =>
    shape.filter((dim) => typeof dim === 'string').map((dim) => ({ id, dim })),
  );
  const param = graph.params.find(({ shape }) => shape.some((dim) => typeof dim === 'string'));
  if (param) {
    throw new UserError(
      `${graph.name}: parameter ${param.key} has the shape ${printShape(param.shape)}: its size cannot follow from ${over} at run time`,
    );
  }
  const odd = named.find(({ dim }) => {
    const terms = dimTerms(dim);
    return (
      terms.length !== 1 || terms.some(({ coefficient, names }) => coefficient < 1 || names.length !== 1)
    );
  });
  if (odd) {
    throw new UserError(
      `${graph.name}: input ${odd.id} has an extent of ${odd.dim}: in a module for a range of ${over}, extents of inputs are numbers or multiples of ${over}`,
    );
  }
  if (named.length === 0)
    throw new UserError(
      `${graph.name}: no input has the dimension ${over}, which could tell its size at run time`,
    );
}

/** A graph with the names of rules in place of those of chunk sizes. */
function renameChunks(graph: Graph, ruleOf: ReadonlyMap<string, string>): Graph {
  const nodes = graph.nodes.map((node) =>
    node.kind === 'op'
      ? node
      : {
          ...node,
          chunkSize: ruleOf.get(String(node.chunkSize)) as string,
          body: renameChunks(node.body, ruleOf),
        },
  );
  return { ...graph, dims: [...new Set(graph.dims.map((dim) => ruleOf.get(dim) ?? dim))], nodes };
}

/** @throws UserError unless exactly one dimension has a range, and that a good one */
function splitDims(graph: Graph, dims: RangeDims): { interval: Interval; fixed: Bindings } {
  const fixed: Record<string, number> = {};
  const intervals: Interval[] = [];
  for (const [name, value] of Object.entries(dims)) {
    if (typeof value === 'number') fixed[name] = value;
    else intervals.push({ name, ...value });
  }
  const fail = (message: string): never => {
    throw new UserError(`${graph.name}: ${message}`, { exitCode: 2 });
  };
  const [interval, ...more] = intervals;
  if (interval === undefined) return fail('expected a range of one dimension, got none');
  const { name, from, to } = interval;
  if (more.length > 0)
    fail(
      `ranges of ${intervals.map((one) => one.name).join(' and ')}: a module can have a range of one dimension`,
    );
  const unbound = graph.dims.filter((dim) => dims[dim] === undefined);
  const has =
    graph.dims.length === 0 ? 'it has no named dimensions' : `its dimensions are ${graph.dims.join(', ')}`;
  if (unbound.length > 0) fail(`dimensions unbound: ${unbound.join(', ')}; ${has}`);
  if (!graph.dims.includes(name)) fail(`there is no dimension ${name}; ${has}`);
  if (!isIdentifier(name))
    fail(
      `a dimension named ${name} cannot have a range: modules have variables for it. Call it N, for example`,
    );
  if (!(Number.isSafeInteger(from) && Number.isSafeInteger(to) && 1 <= from && from <= to))
    fail(`the range ${from} … ${to} of ${name} is not one of positive integers, the smaller first`);
  return { interval, fixed };
}
