import { invariant } from '../../errors.ts';
import { loopCost, reluctance, sharesOf } from '../cost/cost.ts';
import type { Weights } from '../cost/cost-model.ts';
import type { Choice } from '../loops/region.ts';
import type { State } from '../memory/state.ts';
import { evaluate } from './evaluate.ts';
import { innerCost } from './family.ts';

/** L of a loop and of those inside it. `state`: the graph without loops. */
export function choiceCost(state: State, choice: Choice, weights: Weights): number {
  const evaluation = evaluate(state, choice.region);
  invariant(evaluation !== undefined, 'a chosen region is not convex');
  const { arrangement, loop, calls } = evaluation;
  const { types } = state.index;
  const { region, chunkSize } = choice;
  const shares = sharesOf(region, chunkSize, types);
  const { total } = loopCost(arrangement.inside, loop, calls.length, chunkSize, types, weights, shares);
  return reluctance(loop) * total + innerCost(state.index, choice, weights);
}
