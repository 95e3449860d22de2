import { UserError } from '../errors.ts';
import type { Bindings } from '../ir/dims.ts';
import type { Graph } from '../ir/node.ts';
import type { Plan } from '../ir/plan.ts';
import { BudgetError } from './budget.ts';
import { COST_MODELS } from './cost/cost-models/index.ts';
import { placeLoops } from './loops/place-loops.ts';
import { estimate } from './memory/estimate.ts';
import { lower } from './memory/lower.ts';
import { lowerWhole } from './memory/lower-whole.ts';
import { fuse } from './passes/fuse.ts';
import { order } from './passes/order.ts';
import { separateNorms } from './passes/separate-norms.ts';
import { simplify } from './passes/simplify.ts';
import { specialise } from './passes/specialise.ts';
import { type PlanOptions, plan } from './pipeline.ts';
import { selectRecomputing, smallestPeak } from './search/select.ts';
import { WORTH_REACHING } from './search/worth-rounding.ts';

export interface MaxLengthOptions extends Omit<PlanOptions, 'dims' | 'budget'> {
  /** The named dimension whose longest value is searched. */
  readonly over: string;
  /** Values of the others. */
  readonly dims: Bindings;
  readonly budgetBytes: number;
  /** Only multiples of this are tried. Default 1. */
  readonly step?: number;
  /** The longest length to consider, default 2^24: longer ones have indices that kernels cannot count. */
  readonly most?: number;
  /** How many lengths the curve shows. Default 8. */
  readonly points?: number;
  /** Told of every length tried. */
  readonly onProbe?: (length: number, peakBytes: number, chunked: boolean) => void;
}

/** The longest length that fits; one step more does not. */
export interface Longest {
  /** 0 where not even the shortest fits. */
  readonly length: number;
  readonly peakBytes: number;
  /** What forbids the next length: memory, the model (a table of positions ends), or the longest that was considered. */
  readonly limit: 'budget' | 'model' | 'considered';
}

export interface CurvePoint {
  readonly length: number;
  readonly unchunkedPeakBytes: number;
  /** The smallest peak that the search reaches. */
  readonly smallestPeakBytes: number;
}

export interface MaxLength {
  readonly over: string;
  readonly budgetBytes: number;
  readonly unchunked: Longest;
  readonly chunked: Longest;
  /** The plan at the longest chunked length. */
  readonly plan?: Plan;
  readonly curve: readonly CurvePoint[];
}

const MOST = 2 ** 24;

/**
 * The longest value of a named dimension with which a model fits a budget, without loops and with them. Nothing is run:
 * peaks are planned ones. Peaks are taken to grow with the length.
 *
 * @throws UserError for a dimension the model does not have, and where no length fits the model.
 */
export function maxLength(graph: Graph, options: MaxLengthOptions): MaxLength {
  const { over, dims, budgetBytes, step = 1, most = MOST, points = 8 } = options;
  if (!graph.dims.includes(over)) {
    const has = graph.dims.length > 0 ? `its dimensions are ${graph.dims.join(', ')}` : 'it has none';
    throw new UserError(`${graph.name} has no dimension ${over}: ${has}`, { exitCode: 2 });
  }
  const probe = new Probe(graph, options);
  const longest = lastThat((units) => probe.fitsModel(units * step), Math.floor(most / step)) * step;
  if (longest === 0) {
    probe.graphAt(step);
    throw new UserError(
      `${graph.name}: the shortest length, ${over} = ${step}, is above the longest to consider, ${most}`,
    );
  }
  const limit = longest + step > most ? 'considered' : 'model';
  const search = (peakAt: (length: number) => number, from: number): Longest => {
    const length =
      longestWithin(budgetBytes, (units) => peakAt(units * step), from / step, longest / step) * step;
    const peakBytes = length === 0 ? peakAt(step) : peakAt(length);
    return { length, peakBytes, limit: length === longest ? limit : 'budget' };
  };
  const unchunked = search((length) => probe.unchunked(length), 0);
  const chunked = search((length) => probe.smallest(length), unchunked.length);
  const best =
    chunked.length === 0
      ? undefined
      : plan(graph, {
          ...options,
          dims: { ...dims, [over]: chunked.length },
          budget: { kind: 'bytes', bytes: budgetBytes },
        });
  const curve = curveLengths(chunked.length, unchunked.length, step, points).map((length) => ({
    length,
    unchunkedPeakBytes: probe.unchunked(length),
    smallestPeakBytes: probe.smallest(length),
  }));
  return { over, budgetBytes, unchunked, chunked, ...(best ? { plan: best } : {}), curve };
}

/** Peaks by length, each computed once. Infinity where a storage is over the cap. */
class Probe {
  readonly #graph: Graph;
  readonly #options: MaxLengthOptions;
  readonly #cap: number;
  readonly #unchunked = new Map<number, number>();
  readonly #smallest = new Map<number, number>();

  constructor(graph: Graph, options: MaxLengthOptions) {
    this.#graph = graph;
    this.#options = options;
    this.#cap = options.cap ?? Number.POSITIVE_INFINITY;
  }

  graphAt(length: number): Graph {
    this.#options.signal?.throwIfAborted();
    const { dims, over } = this.#options;
    const simple = simplify(specialise(this.#graph, { ...dims, [over]: length }));
    return this.#options.fuse === false ? simple : fuse(simple);
  }

  fitsModel(length: number): boolean {
    try {
      this.graphAt(length);
      return true;
    } catch (error) {
      if (error instanceof UserError && error.exitCode === 1) return false;
      throw error;
    }
  }

  unchunked(length: number): number {
    return this.#known(this.#unchunked, length, false, () => {
      const program = lowerWhole(this.graphAt(length), this.#options.backend);
      const { peakBytes, largestStorageBytes } = estimate(program);
      return largestStorageBytes <= this.#cap ? peakBytes : Number.POSITIVE_INFINITY;
    });
  }

  smallest(length: number): number {
    return this.#known(this.#smallest, length, true, () => {
      const { backend, signal, costModel = COST_MODELS[backend], splitReductions = true } = this.#options;
      const { weights } = costModel;
      const options = { budget: undefined, cap: this.#cap, weights, signal, splitReductions };
      try {
        const graph = order(separateNorms(this.graphAt(length), options));
        const least = smallestPeak(graph, options);
        const { budgetBytes } = this.#options;
        // For a budget that nothing else meets reductions are split that `min` leaves whole for so little.
        if (least <= budgetBytes || least * (1 - WORTH_REACHING) > budgetBytes) return least;
        const { graph: searched, choices } = selectRecomputing(graph, { ...options, budget: budgetBytes });
        return estimate(lower(placeLoops(searched, choices))).peakBytes;
      } catch (error) {
        if (error instanceof BudgetError) return error.smallestPeakBytes;
        if (error instanceof UserError) return Number.POSITIVE_INFINITY;
        throw error;
      }
    });
  }

  #known(peaks: Map<number, number>, length: number, chunked: boolean, compute: () => number): number {
    let peak = peaks.get(length);
    if (peak === undefined) {
      peak = compute();
      peaks.set(length, peak);
      this.#options.onProbe?.(length, peak, chunked);
    }
    return peak;
  }
}

/** The last of 1 … most that is true, where all before it are; 0 when none is. */
function lastThat(holds: (n: number) => boolean, most: number): number {
  let low = 0;
  let high = 1;
  while (high <= most && holds(high)) {
    low = high;
    high *= 2;
  }
  if (high > most) {
    if (low === most || (most > 0 && holds(most))) return most;
    high = most;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * The last of `from` … most whose peak is within the budget, where `from` is known to be. Peaks are smooth in the length, so
 * the line between the ends of the interval points close to the answer; every other step halves the interval, unless the
 * line says that the next length is over already.
 */
function longestWithin(budget: number, peakAt: (n: number) => number, from: number, most: number): number {
  let low = from;
  let lowPeak = low === 0 ? 0 : peakAt(low);
  let high = Math.min(most, Math.max(1, 2 * low));
  while (peakAt(high) <= budget) {
    if (high === most) return most;
    low = high;
    lowPeak = peakAt(high);
    high = Math.min(most, 2 * high);
  }
  for (let steps = 0; high - low > 1; steps++) {
    const highPeak = peakAt(high);
    const share = Number.isFinite(highPeak) ? (budget - lowPeak) / (highPeak - lowPeak) : 0.5;
    const guess = Math.floor(low + share * (high - low));
    const middle =
      steps % 2 === 0 || guess <= low
        ? Math.min(high - 1, Math.max(low + 1, guess))
        : Math.floor((low + high) / 2);
    if (peakAt(middle) <= budget) [low, lowPeak] = [middle, peakAt(middle)];
    else high = middle;
  }
  return low;
}

/** The last powers of two up to the longest length, and the longest lengths themselves. */
function curveLengths(chunked: number, unchunked: number, step: number, points: number): number[] {
  if (points === 0 || chunked === 0) return [];
  const lengths = new Set([unchunked, chunked].filter((length) => length > 0));
  for (let exponent = Math.floor(Math.log2(chunked / step)); exponent >= 0; exponent--) {
    if (lengths.size >= points) break;
    lengths.add(step * 2 ** exponent);
  }
  return [...lengths].sort((a, b) => a - b).slice(-points);
}

/** A budget in bytes for {@link maxLength}. @throws UserError for a share: of what depends on the length. */
export function lengthBudget(budget: PlanOptions['budget']): number {
  if (budget.kind === 'bytes') return budget.bytes;
  throw new UserError(
    'a longest length needs a budget in bytes such as 2GiB: a share of the unchunked peak, or the smallest peak, fits any length',
    { exitCode: 2 },
  );
}
