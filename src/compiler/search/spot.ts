import { invariant } from '../../errors.ts';
import { loopSizes } from '../../ir/loop.ts';
import { type LoopNode, resultOf, type ValueId } from '../../ir/node.ts';
import { renameValue } from '../graph/derived.ts';
import { type Choice, computes } from '../loops/region.ts';
import { analyseBody, type State } from '../memory/state.ts';
import type { Family } from './family.ts';

/** A node that exceeds a budget or a cap: in the graph, or in the body of a loop. */
export interface Spot {
  /** The memory of the graph or the body. */
  readonly state: State;
  /** Position of the node there; a loop where nothing inside is to blame. */
  readonly at: number;
  readonly kind: 'peak' | 'oversized';
  /** In a body: the loops around. */
  readonly inner?: {
    readonly family: Family;
    /** The loop whose body it is: the model of the family, or a loop inside it. */
    readonly loop: Choice;
    /** Iterations of the body. */
    readonly iterations: number;
    /** Whether one of the loops around splits a reduction. */
    readonly splits: boolean;
    /** From the values of the body to those that the family's model names. */
    readonly names: ReadonlyMap<ValueId, ValueId>;
    /** Most live bytes of what runs in the bodies around this one, beside the loops that lead here. */
    readonly besides: number;
  };
}

/**
 * Follows the peak, or the first storage over the cap, into the bodies of loops. `path`: positions of other nodes, in the graph,
 * in the body of the loop there, and so on.
 */
export function locate(
  state: State,
  families: readonly Family[],
  kind: Spot['kind'],
  cap: number,
  path: readonly number[] = [],
): Spot {
  const worst = (of: State): number | undefined => (kind === 'peak' ? of.peakAt : of.oversized[0]);
  let spot: Spot = { state, at: path[0] ?? worst(state) ?? 0, kind };
  for (let depth = 1; ; depth++) {
    const node = spot.state.index.graph.nodes[spot.at];
    if (node?.kind !== 'loop') return spot;
    const body = analyseBody(spot.state, spot.at, cap);
    const at = path[depth] ?? worst(body);
    if (at === undefined) return spot;
    spot = { state: body, at, kind, inner: enter(node, spot, families) };
  }
}

function enter(
  node: LoopNode,
  { state, at, inner }: Spot,
  families: readonly Family[],
): NonNullable<Spot['inner']> {
  const first = resultOf(node);
  const names = new Map(inner?.names ?? namesOf(first, families));
  for (const { id, value } of node.results) names.set(value, renameValue(id, names));
  const isIt = ({ region }: Choice): boolean => computes(region, renameValue(first, names));
  const family =
    inner?.family ?? families.find(({ choices }) => choices.some(({ region }) => region.cuts.has(first)));
  const loop = inner ? (inner.loop.inner ?? []).find(isIt) : family?.model;
  invariant(family && loop, () => `no choice made the loop of ${first}`);
  const iterations = (inner?.iterations ?? 1) * loopSizes(node).chunks;
  const besides = inner ? Math.max(inner.besides, ...state.peaks.filter((_, other) => other !== at)) : 0;
  const splits = inner?.splits === true || node.carries.length > 0;
  return { family, loop, iterations, splits, names, besides };
}

/** From the values of a repeat to those of its family's model. */
function namesOf(value: ValueId, families: readonly Family[]): [ValueId, ValueId][] {
  for (const { repeats } of families) {
    const repeat = repeats.find(({ region }) => region.cuts.has(value));
    if (repeat) return [...repeat.names].map(([model, id]) => [id, model]);
  }
  return [];
}
