import { invariant, UserError } from '../errors.ts';
import type { Bindings } from '../ir/dims.ts';
import type { Graph } from '../ir/node.ts';
import type { Backend } from '../ir/ops/op.ts';
import type { Budget, Plan } from '../ir/plan.ts';
import { verify } from '../ir/verify.ts';
import { BudgetError, budgetBytes } from './budget.ts';
import type { CostModel, Weights } from './cost/cost-model.ts';
import { COST_MODELS } from './cost/cost-models/index.ts';
import { programSeconds } from './cost/seconds.ts';
import { placeLoops, sketchLoops } from './loops/place-loops.ts';
import type { Choice } from './loops/region.ts';
import { estimate } from './memory/estimate.ts';
import { lower } from './memory/lower.ts';
import { lowerWhole } from './memory/lower-whole.ts';
import { assignOffsets } from './memory/offsets.ts';
import { analyse, fits } from './memory/state.ts';
import { overBudget } from './over-budget.ts';
import { foldMasks } from './passes/fold-masks.ts';
import { fuse } from './passes/fuse.ts';
import { limitProducts } from './passes/limit-products.ts';
import { order } from './passes/order.ts';
import type { Chosen } from './passes/recompute.ts';
import { separateNorms } from './passes/separate-norms.ts';
import { simplify } from './passes/simplify.ts';
import { skipMasked } from './passes/skip-masked.ts';
import { specialise } from './passes/specialise.ts';
import { reportLoops } from './report.ts';
import type { Rejection } from './search/search.ts';
import { selectRecomputing } from './search/select.ts';

export interface PlanOptions {
  /** Values of the named dimensions, all of them. */
  readonly dims: Bindings;
  readonly budget: Budget;
  /** Largest single storage in bytes. */
  readonly cap?: number;
  readonly backend: Backend;
  /** The speed of the device (default: the figures that autochunk ships for the backend). */
  readonly costModel?: CostModel;
  /** What the search goes by instead of the weights of the cost model: other plans for the same budget. */
  readonly searchWeights?: Weights;
  /**
   * Whether loops may cut what an op adds up (default true). Results then differ from those without loops in the last bits;
   * with `false` they are the same, bit for bit.
   */
  readonly splitReductions?: boolean;
  /** Whether elementwise ops are computed together where that takes no memory (default true). Results keep their bits. */
  readonly fuse?: boolean;
  /** Called after every pass with its time. */
  readonly onPass?: (name: string, ms: number) => void;
  /** Told of every obstacle the search met: which rule stopped a chunk flow, at which node; of equal layers, in the few searched. */
  readonly onRejection?: (rejection: Rejection) => void;
  /** Told of the loops that are placed and the graph they are placed in, and of the graph that was searched for them. */
  readonly onChosen?: (chosen: Chosen, searched: Graph) => void;
  /** Chooses the loops of the simplified graph in place of the search: hand-made and random plans. */
  readonly choose?: (graph: Graph) => readonly Choice[];
  readonly signal?: AbortSignal;
}

/**
 * Compiles a traced graph: chooses the chunk loops with which the peak of activation memory meets the budget, and makes
 * every allocation explicit.
 *
 * @throws UserError for dimensions that are unbound, unknown or do not fit, and BudgetError when no plan meets the budget.
 */
export function plan(graph: Graph, options: PlanOptions): Plan {
  const { passes, pass, graphPass } = timePasses(options);
  const cap = checkCap(options.cap);
  const costModel = options.costModel ?? COST_MODELS[options.backend];
  if (costModel.backend !== options.backend) {
    throw new UserError(
      `the cost model is of ${costModel.backend} (${costModel.adapter}), the plan is for ${options.backend}`,
      { exitCode: 2 },
    );
  }
  const { weights } = costModel;

  const bound = graphPass('specialise', () => specialise(graph, options.dims));
  const simple = graphPass('simplify', () => simplify(bound));
  const whole = options.fuse === false ? simple : graphPass('fuse', () => fuse(simple));
  const unchunkedProgram = pass('lower unchunked', () => lowerWhole(whole, options.backend));
  const unchunked = pass('estimate', () => estimate(unchunkedProgram));
  const budget = budgetBytes(options.budget, unchunked.peakBytes);
  // What meets the budget as it is stays as the author wrote it: moments of norms take memory of their own.
  const meets = budget !== undefined && unchunked.peakBytes <= budget;
  const apart = graphPass('separate norms', () =>
    meets && fits(analyse(whole, cap), budget) ? whole : separateNorms(whole, options),
  );
  const ordered = graphPass('order', () => (meets ? apart : order(apart)));
  const chosen = pass('search and select', () => {
    if (options.choose) return { graph: ordered, choices: options.choose(ordered) };
    const select = (): Chosen =>
      selectRecomputing(ordered, {
        budget,
        cap,
        weights: options.searchWeights ?? weights,
        signal: options.signal,
        splitReductions: options.splitReductions ?? true,
        ...(options.onRejection ? { onRejection: options.onRejection } : {}),
      });
    return apart === whole ? select() : orWhole(whole, budget, cap, select);
  });
  options.onChosen?.(chosen, ordered);
  const { graph: searched, choices } = chosen;
  const chunked = graphPass('place loops', () => placeLoops(searched, choices));
  const complete = pass('lower', () => lower(chunked));
  const narrowed = pass('skip masked', () => skipMasked(complete));
  const folded = pass('fold masks', () => foldMasks(narrowed));
  const program = pass('limit products', () => limitProducts(folded, options.backend));
  const planned = pass('estimate planned', () => estimate(program));
  const summary = pass('report', () =>
    reportLoops({ program, choices, unchunked: analyse(searched, cap) }, weights),
  );
  const seconds = pass('predict time', () => ({
    unchunked: programSeconds(unchunkedProgram, costModel),
    planned: programSeconds(program, costModel),
  }));

  invariant(
    budget === undefined || planned.peakBytes <= budget,
    () => `planned ${planned.peakBytes} bytes for a budget of ${budget}`,
  );
  const arena =
    options.backend === 'webasm' ? pass('assign offsets', () => assignOffsets(program)) : undefined;
  return {
    model: graph.name,
    dims: options.dims,
    backend: options.backend,
    budget: options.budget,
    budgetBytes: budget ?? planned.peakBytes,
    ...(options.cap === undefined ? {} : { capBytes: options.cap }),
    graph: chunked,
    program,
    unchunkedProgram,
    unchunked,
    planned,
    ...summary,
    ...(arena ? { arena } : {}),
    predictedSeconds: seconds.planned,
    predictedSlowdown: seconds.unchunked === 0 ? 0 : seconds.planned / seconds.unchunked - 1,
    passes,
  };
}

/**
 * What is selected for a graph with norms taken apart, or the whole one without loops where that needs no more: moments of
 * small norms take more than the norms at once.
 */
function orWhole(whole: Graph, budget: number | undefined, cap: number, select: () => Chosen): Chosen {
  const plain = analyse(whole, cap);
  const unchanged = { graph: whole, choices: [] };
  if (budget !== undefined && fits(plain, budget)) return unchanged;
  try {
    const chosen = select();
    if (budget !== undefined) return chosen;
    return fits(plain, analyse(sketchLoops(chosen.graph, chosen.choices), cap).peak) ? unchanged : chosen;
  } catch (error) {
    const isLower = error instanceof BudgetError && fits(plain, error.smallestPeakBytes - 1);
    throw isLower ? overBudget(whole, error.budgetBytes, cap, []) : error;
  }
}

/** Runs passes one after another: timed, told of, and with every graph that one makes verified. */
export function timePasses({ signal, onPass }: Pick<PlanOptions, 'signal' | 'onPass'>) {
  const passes: { name: string; ms: number }[] = [];
  const pass = <T>(name: string, run: () => T): T => {
    signal?.throwIfAborted();
    const start = performance.now();
    const result = run();
    const ms = performance.now() - start;
    passes.push({ name, ms });
    onPass?.(name, ms);
    return result;
  };
  const graphPass = (name: string, run: () => Graph): Graph =>
    pass(name, () => {
      const result = run();
      verify(result);
      return result;
    });
  return { passes, pass, graphPass };
}

/** @throws UserError for a cap that is not a number of bytes */
export function checkCap(cap: number | undefined): number {
  if (cap === undefined) return Number.POSITIVE_INFINITY;
  if (Number.isSafeInteger(cap) && cap > 0) return cap;
  throw new UserError(`cap ${cap}: expected a positive number of bytes`, { exitCode: 2 });
}
