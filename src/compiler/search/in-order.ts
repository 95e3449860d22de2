import { fits } from '../memory/state.ts';
import type { Candidates } from './candidates.ts';
import { keyOf } from './family.ts';
import type { PartialPlan, PartialPlans } from './partial-plans.ts';
import type { Candidate } from './ranking.ts';

export interface InOrderOptions {
  /** How many plans are gone on with that are within the budget up to the same node. */
  readonly width: number;
  /** How many plans are enough. */
  readonly enough: number;
  readonly signal: AbortSignal | undefined;
}

/** How often a plan may get loops that leave the first node over the budget where it is. */
const ROUNDS = 3;
/** Plans whose memory is looked at, for every one that is gone on with. */
const LOOKED_AT = 8;

/**
 * The cheapest plans within a budget, found in the order of execution: loops change nothing that runs before them, so plans
 * are told apart by the first node over the budget, and get loops at that node or before it. Plans that reach equally far
 * compete by cost with each other only.
 */
export function inOrder(
  plans: PartialPlans,
  candidates: Candidates,
  budget: number,
  { width, enough, signal }: InOrderOptions,
): PartialPlan[] {
  const { nodes } = plans.empty.state.graph;
  const reached = new Map<number, Map<string, PartialPlan>>();
  const seen = new Set<string>();
  let found: PartialPlan[] = [];
  const isDear = ({ cost }: PartialPlan): boolean =>
    found.length >= enough && cost >= (found.at(-1) as PartialPlan).cost;
  const add = (plan: PartialPlan): void => {
    if (fits(plan.state, budget)) {
      found = [...found, plan].sort((a, b) => a.cost - b.cost).slice(0, enough);
      return;
    }
    const at = endOf(plans, plan, budget);
    const there = reached.get(at) ?? new Map<string, PartialPlan>();
    reached.set(at, there.set(keyOf(plan.families), plan));
  };
  add(plans.empty);
  for (let at = 0; at <= nodes.length; at++) {
    for (let round = 0; round < ROUNDS; round++) {
      const there = reached.get(at);
      if (!there) break;
      reached.delete(at);
      const few = [...there.values()]
        .sort((a, b) => a.cost - b.cost)
        .filter((plan) => !isDear(plan))
        .slice(0, width);
      const next = few.flatMap((from) => {
        signal?.throwIfAborted();
        return along(candidates, from, budget).map((candidate) => {
          const { child } = plans.extend(from, candidate, budget);
          return { child, from, takesAlong: takesAlong(candidate, firstOver(from, budget)) };
        });
      });
      let looked = 0;
      for (const { child, from, takesAlong } of next.sort((a, b) => a.child.cost - b.child.cost)) {
        if (looked === LOOKED_AT * width || isDear(child)) break;
        const key = keyOf(child.families);
        if (seen.has(key)) continue;
        seen.add(key);
        looked++;
        if (endOf(plans, child, budget) >= at && (takesAlong || goesOn(plans, child, from, budget)))
          add(child);
      }
      plans.forget([...reached.values()].flatMap((those) => [...those.values()]));
    }
  }
  return found;
}

const firstOver = ({ state: { peaks } }: PartialPlan, budget: number): number =>
  peaks.findIndex((bytes) => bytes > budget);

/** Does a plan get further than another one, or come closer to the budget where that exceeds it, or exceed it in a loop? */
function goesOn(plans: PartialPlans, child: PartialPlan, from: PartialPlan, budget: number): boolean {
  const [end, before] = [endOf(plans, child, budget), endOf(plans, from, budget)];
  if (end !== before) return end > before;
  const [at, first] = [firstOver(child, budget), firstOver(from, budget)];
  const isLoop = child.state.graph.nodes[at]?.kind === 'loop';
  return isLoop || (child.state.peaks[at] as number) < (from.state.peaks[first] as number);
}

/** Does a loop compute what comes behind a node, but not that node? Then values may be dead there that were not. */
const takesAlong = ({ spot, evaluation: { arrangement } }: Candidate, first: number): boolean => {
  const node = spot.state.graph.nodes[first];
  return !spot.inner && arrangement.last > first && !arrangement.inside.some((one) => one === node);
};

/** The position, in the graph without loops, of the first node over a budget; of a loop's last node where that is one. */
function endOf(plans: PartialPlans, plan: PartialPlan, budget: number): number {
  const { definedAt, graph } = plans.empty.state.index;
  const at = firstOver(plan, budget);
  const node = plan.state.graph.nodes[at];
  if (node === undefined) return graph.nodes.length;
  if (node.kind === 'op') return definedAt.get(node.id) ?? 0;
  return Math.max(...node.results.map(({ id }) => definedAt.get(id) ?? 0));
}

function along(candidates: Candidates, from: PartialPlan, budget: number): Candidate[] {
  const first = firstOver(from, budget);
  const found = candidates.unfinished(from, budget, [first]);
  for (let at = 0; at <= first; at++) {
    if (at === first || from.state.graph.nodes[at]?.kind === 'op')
      found.push(...candidates.within(from, budget, [at]));
  }
  return found;
}
