import { formatBytes } from '../ir/bytes.ts';
import type { Bindings } from '../ir/dims.ts';
import type { Graph } from '../ir/node.ts';
import type { Program } from '../ir/program.ts';
import { verify } from '../ir/verify.ts';
import { BudgetError } from './budget.ts';
import { leastPeak } from './chunk-rules.ts';
import { lower } from './lower.ts';
import { longestWithin } from './max-length.ts';
import { freshNames } from './names.ts';
import type { RangeGraph } from './range-graph.ts';
import { type Choice, placeLoops } from './region.ts';
import { type SelectOptions, select } from './select.ts';
import { skipMasked } from './skip-masked.ts';
import { witness } from './witness.ts';

/** Loops in a graph for a range of sizes. */
export interface PlacedLoops {
  readonly choices: readonly Choice[];
  /** Chunk sizes where the loops were chosen, by name. */
  readonly planned: Bindings;
  readonly graph: Graph;
  readonly program: Program;
  /** Peak and largest storage over all sizes, with chunks of one unit. */
  readonly least: ReturnType<typeof leastPeak>;
}

/** How often the search may aim lower for what holds at one size to hold at all. */
const ATTEMPTS = 4;

/**
 * Loops that meet the budget at every size of a range, chosen at one near its upper end. What is chosen there may be over
 * the budget elsewhere: the search then aims lower.
 *
 * @throws BudgetError naming the largest size that fits
 */
export function searchRange(graphs: RangeGraph, options: SelectOptions): PlacedLoops {
  const { budget } = options;
  const anchor = graphs.anchor();
  let target = budget;
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const placed = place(graphs, select(graphs.at(anchor), { ...options, budget: target, borders: false }));
      if (fits(placed, options)) return placed;
      const { peakBytes } = placed.least;
      if (target === undefined || budget === undefined || peakBytes <= budget) break;
      target -= peakBytes - budget;
    }
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error;
  }
  return searchSmallest(graphs, options);
}

const fits = ({ least }: PlacedLoops, { budget, cap }: SelectOptions): boolean =>
  least.storageBytes <= cap && least.peakBytes <= (budget ?? least.peakBytes);

/** The loops with the smallest peak, where that is little enough. */
function searchSmallest(graphs: RangeGraph, options: SelectOptions): PlacedLoops {
  const { from, to } = graphs.interval;
  const upTo = (size: number): PlacedLoops | BudgetError => {
    const part = graphs.upTo(size);
    try {
      return place(part, select(part.at(part.anchor()), { ...options, budget: undefined, borders: false }));
    } catch (error) {
      if (error instanceof BudgetError) return error;
      throw error;
    }
  };
  const whole = upTo(to);
  if (!(whole instanceof BudgetError) && fits(whole, options)) return whole;
  const peakAt = (size: number): number => {
    const placed = upTo(size);
    if (placed instanceof BudgetError || placed.least.storageBytes > options.cap)
      return Number.POSITIVE_INFINITY;
    return placed.least.peakBytes;
  };
  const limit = options.budget ?? Number.MAX_SAFE_INTEGER;
  const longest = peakAt(from) <= limit ? longestWithin(limit, peakAt, from, to) : undefined;
  throw outOfReach(graphs, options, whole, longest);
}

function outOfReach(
  { symbolic, interval: { name, from, to } }: RangeGraph,
  { budget, cap }: SelectOptions,
  whole: PlacedLoops | BudgetError,
  longest: number | undefined,
): BudgetError {
  const peak = whole instanceof BudgetError ? whole.smallestPeakBytes : whole.least.peakBytes;
  const bytes = (count: number): string => `${formatBytes(count)} (${count} bytes)`;
  const problem =
    budget !== undefined && peak > budget
      ? `meets the budget of ${bytes(budget)} for every ${name} from ${from} to ${to}: the smallest peak the search reaches is ${bytes(peak)}`
      : `keeps every storage within the cap of ${bytes(cap)} for every ${name} from ${from} to ${to}`;
  const advice =
    longest === undefined
      ? `Not even ${name} = ${from} fits: allow more memory.`
      : `The largest ${name} that fits is ${longest}: take the range ${from} … ${longest}, or allow more memory.`;
  return new BudgetError(`${symbolic.name}: no plan ${problem}. ${advice}`, {
    budgetBytes: budget ?? peak,
    smallestPeakBytes: peak,
    alive: whole instanceof BudgetError ? whole.alive : [],
  });
}

/** The loops in the graph for all sizes, their chunk sizes named. */
function place({ symbolic, interval }: RangeGraph, chosen: readonly Choice[]): PlacedLoops {
  const fresh = freshNames(symbolic);
  const planned: Record<string, number> = {};
  const named = (choice: Choice): Choice => {
    const chunkName = fresh('chunk');
    planned[chunkName] = choice.chunkSize;
    return { ...choice, chunkName, ...(choice.inner ? { inner: choice.inner.map(named) } : {}) };
  };
  const choices = chosen.map(named);
  const loops = placeLoops(symbolic, choices);
  const graph = { ...loops, dims: [...loops.dims, ...Object.keys(planned)] };
  verify(graph);
  const program = skipMasked(lower(graph, witness(graph, interval)));
  return { choices, planned, graph, program, least: leastPeak(program, interval) };
}
