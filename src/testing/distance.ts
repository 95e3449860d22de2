import { BudgetError } from '../compiler/budget.ts';
import type { Weights } from '../compiler/cost/cost-model.ts';
import { COST_MODELS } from '../compiler/cost/cost-models/index.ts';
import { analyse } from '../compiler/memory/state.ts';
import type { Chosen } from '../compiler/passes/recompute.ts';
import { type PlanOptions, plan } from '../compiler/pipeline.ts';
import { choiceCost } from '../compiler/search/choice-cost.ts';
import type { Graph } from '../ir/node.ts';
import { type Optimum, type Outcome, optimum } from './optimum.ts';
import { randomSource } from './random.ts';

/** The planner's plan beside the best one that trying all finds. */
export interface Distance {
  /** What the planner's plan comes to; undefined where it refuses a budget that can be met. */
  readonly planner: (Outcome & Pick<Chosen, 'choices'>) | undefined;
  readonly best: Optimum;
  /**
   * By how much the planner is above the optimum, as a share of that: 0 where it is as good, Infinity where it refuses, less
   * than 0 where it computes values again and leaves the space of the optimum behind.
   */
  readonly above: number;
}

export interface Distances {
  /** Nodes that are searched. */
  readonly nodes: number;
  /** Bytes without loops. */
  readonly wholePeak: number;
  /** Of peaks, for `min`. */
  readonly min: Distance;
  /** Of costs, within a budget in bytes. */
  readonly within: Distance & { readonly budget: number };
}

export interface DistanceOptions extends Pick<PlanOptions, 'dims' | 'backend' | 'splitReductions'> {
  /** Nodes of a graph, at most. */
  readonly maxNodes: number;
  /** Plans that are looked at for one optimum, at most. */
  readonly most: number;
  /** Picks the budget. */
  readonly seed: number;
}

/**
 * How far the planner is from the optimum on a small graph: for the smallest peak, and for the cost within a random budget
 * between that and the peak without loops. Undefined where the graph is too large, or no loop lowers its peak.
 */
export function distances(graph: Graph, options: DistanceOptions): Distances | undefined {
  const least = planned(graph, { kind: 'min' }, options);
  const { searched } = least;
  if (searched.nodes.length > options.maxNodes) return undefined;
  const wholePeak = analyse(searched, Number.POSITIVE_INFINITY).peak;
  const min = distance(least, wholePeak, undefined, options);
  if (min.best.peak >= wholePeak) return undefined;
  const room = wholePeak - min.best.peak;
  const budget = min.best.peak + Math.floor(randomSource(options.seed)() * room);
  const within = planned(graph, { kind: 'bytes', bytes: budget }, options, searched);
  return {
    nodes: searched.nodes.length,
    wholePeak,
    min,
    within: { ...distance(within, wholePeak, budget, options), budget },
  };
}

interface Planned {
  readonly planner: Distance['planner'];
  /** The graph without loops and without values that are computed again. */
  readonly searched: Graph;
  readonly recomputes: boolean;
}

function planned(
  graph: Graph,
  budget: PlanOptions['budget'],
  options: DistanceOptions,
  known?: Graph,
): Planned {
  const told: { searched?: Graph; chosen?: Chosen } = known ? { searched: known } : {};
  const { dims, backend, splitReductions = true } = options;
  const onChosen = (chosen: Chosen, searched: Graph): void => void Object.assign(told, { chosen, searched });
  try {
    const { peakBytes } = plan(graph, { dims, backend, splitReductions, budget, onChosen }).planned;
    const { chosen, searched } = told as Required<typeof told>;
    return {
      planner: { peak: peakBytes, cost: costOf(chosen, weightsOf(options)), choices: chosen.choices },
      searched,
      recomputes: chosen.graph !== searched,
    };
  } catch (error) {
    if (!(error instanceof BudgetError) || !told.searched) throw error;
    return { planner: undefined, searched: told.searched, recomputes: false };
  }
}

function distance(
  { planner, searched, recomputes }: Planned,
  wholePeak: number,
  budget: number | undefined,
  options: DistanceOptions,
): Distance {
  const { splitReductions = true, most } = options;
  const known = planner && !recomputes ? planner : { peak: wholePeak, cost: Number.POSITIVE_INFINITY };
  const weights = weightsOf(options);
  const best = optimum(searched, known, { weights, budget, splitReductions, most });
  const share = (got: number, least: number): number => (got === least ? 0 : got / least - 1);
  const above = !planner
    ? Number.POSITIVE_INFINITY
    : budget === undefined
      ? share(planner.peak, best.peak)
      : share(planner.cost, best.cost);
  return { planner, best, above };
}

const weightsOf = ({ backend }: DistanceOptions): Weights => COST_MODELS[backend].weights;

function costOf({ graph, choices }: Chosen, weights: Weights): number {
  const whole = analyse(graph, Number.POSITIVE_INFINITY);
  return choices.reduce((sum, choice) => sum + choiceCost(whole, choice, weights), 0);
}
