import { formatBytes } from '../../ir/bytes.ts';
import type { Bindings, Dim } from '../../ir/dims.ts';
import type { Graph } from '../../ir/node.ts';
import type { Program } from '../../ir/program.ts';
import { verify } from '../../ir/verify.ts';
import { BudgetError } from '../budget.ts';
import { freshNames } from '../graph/names.ts';
import { placeLoops } from '../loops/place-loops.ts';
import type { Choice, Region } from '../loops/region.ts';
import { lower } from '../memory/lower.ts';
import { foldMasks } from '../passes/fold-masks.ts';
import { skipMasked } from '../passes/skip-masked.ts';
import { type SelectOptions, select } from '../search/select.ts';
import { LeastBytes } from './chunk-rules.ts';
import type { Interval } from './polynomial.ts';
import type { RangeGraph } from './range-graph.ts';
import { witness } from './witness.ts';

/** Loops in a graph for a range of sizes. */
export interface PlacedLoops {
  readonly graphs: RangeGraph;
  readonly choices: readonly Choice[];
  /** Chunk sizes where the loops were chosen, by name. */
  readonly planned: Bindings;
  readonly graph: Graph;
  readonly program: Program;
  /** With chunks of one unit. */
  readonly least: LeastBytes;
}

/** How often the search may aim lower for what holds at one size to hold at all. */
const ATTEMPTS = 4;
/** How many more searches look for the largest size that fits. */
const PROBES = 5;

/**
 * Loops that meet the budget at every size of a range, chosen at one near its upper end. What is chosen there may be over
 * the budget elsewhere: the search then aims lower.
 *
 * @throws BudgetError naming the largest size that was found to fit
 */
export function searchRange(graphs: RangeGraph, options: SelectOptions): PlacedLoops {
  const { budget } = options;
  const { interval } = graphs;
  const anchor = graphs.anchor();
  let target = budget;
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const placed = place(graphs, select(graphs.at(anchor), { ...options, budget: target, borders: false }));
      if (fits(placed, options, interval)) return placed;
      const peakBytes = placed.least.peakBytes(interval);
      if (target === undefined || budget === undefined || peakBytes <= budget) break;
      target -= peakBytes - budget;
    }
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error;
  }
  const smallest = searchSmallest(graphs, options);
  if (!(smallest instanceof BudgetError) && fits(smallest, options, interval)) return smallest;
  throw outOfReach(graphs, options, smallest, longest(graphs, options, smallest));
}

/** Does the peak stay within the budget, and every storage within the cap, at every size of an interval? */
const fits = ({ least }: PlacedLoops, { budget, cap }: SelectOptions, interval: Interval): boolean =>
  least.storageBytes(interval) <= cap && least.peakBytes(interval) <= (budget ?? Number.POSITIVE_INFINITY);

/** The loops with the smallest peak. */
function searchSmallest(graphs: RangeGraph, options: SelectOptions): PlacedLoops | BudgetError {
  try {
    return place(
      graphs,
      select(graphs.at(graphs.anchor()), { ...options, budget: undefined, borders: false }),
    );
  } catch (error) {
    if (error instanceof BudgetError) return error;
    throw error;
  }
}

/** The largest size up to which some loops were found to fit; undefined where not even the smallest does. */
function longest(
  graphs: RangeGraph,
  options: SelectOptions,
  smallest: PlacedLoops | BudgetError,
): number | undefined {
  const { from, to } = graphs.interval;
  const reach = (placed: PlacedLoops | BudgetError): number => {
    if (placed instanceof BudgetError) return from - 1;
    let [low, high] = [from - 1, to + 1];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (fits(placed, options, { ...graphs.interval, to: middle })) low = middle;
      else high = middle;
    }
    return low;
  };
  let best = reach(smallest);
  let over = to;
  for (let probe = 0; probe < PROBES && over - best > 1; probe++) {
    const size = Math.floor((best + over) / 2);
    const found = reach(searchSmallest(graphs.upTo(size), options));
    best = Math.max(best, found);
    if (found < size) over = size;
  }
  return best < from ? undefined : best;
}

function outOfReach(
  { symbolic, interval }: RangeGraph,
  { budget, cap }: SelectOptions,
  smallest: PlacedLoops | BudgetError,
  longest: number | undefined,
): BudgetError {
  const { name, from, to } = interval;
  const peak =
    smallest instanceof BudgetError ? smallest.smallestPeakBytes : smallest.least.peakBytes(interval);
  const bytes = (count: number): string => `${formatBytes(count)} (${count} bytes)`;
  const problem =
    budget !== undefined && peak > budget
      ? `meets the budget of ${bytes(budget)} for every ${name} from ${from} to ${to}: the smallest peak the search reaches is ${bytes(peak)}`
      : `keeps every storage within the cap of ${bytes(cap)} for every ${name} from ${from} to ${to}`;
  const advice =
    longest === undefined
      ? `Not even ${name} = ${from} fits: allow more memory.`
      : `The largest ${name} found to fit is ${longest}: take the range ${from} … ${longest}, or allow more memory.`;
  return new BudgetError(`${symbolic.name}: no plan ${problem}. ${advice}`, {
    budgetBytes: budget ?? peak,
    smallestPeakBytes: peak,
    alive: smallest instanceof BudgetError ? smallest.alive : [],
  });
}

/**
 * The plan without loops that every size would run in one iteration, where it fits without them. Nodes stay in the order
 * that the loops have brought them into.
 */
export function withoutIdle(
  placed: PlacedLoops,
  idle: ReadonlySet<string>,
  options: SelectOptions,
): PlacedLoops {
  const kept = (choices: readonly Choice[]): Choice[] =>
    choices.flatMap(({ chunkName = '', ...choice }) => {
      const inner = kept(choice.inner ?? []);
      if (idle.has(chunkName)) return inner;
      return choice.inner ? [{ ...choice, inner }] : [choice];
    });
  const regions = new Map(placed.choices.map(({ chunkName, region }) => [chunkName as Dim, region]));
  const order = placed.graph.nodes.flatMap((node) =>
    node.kind === 'op' ? [node.id] : [...(regions.get(node.chunkSize) as Region).cuts.keys()],
  );
  const fewer = place(placed.graphs.inOrder(order), kept(placed.choices));
  return fits(fewer, options, placed.graphs.interval) ? fewer : placed;
}

/** The loops in the graph for all sizes, their chunk sizes named. */
function place(graphs: RangeGraph, chosen: readonly Choice[]): PlacedLoops {
  const { symbolic, interval } = graphs;
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
  const program = foldMasks(skipMasked(lower(graph, witness(graph, interval))));
  return { graphs, choices, planned, graph, program, least: new LeastBytes(program, interval) };
}
