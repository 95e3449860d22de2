import { sketchLoops } from '../compiler/loops/place-loops.ts';
import type { Choice } from '../compiler/loops/region.ts';
import { analyse } from '../compiler/memory/state.ts';
import type { Chosen } from '../compiler/passes/recompute.ts';
import { removals } from '../compiler/search/needless.ts';

/**
 * The loops of a plan that it does not need: without them its peak is within the budget all the same (bytes; for `min`, its own
 * peak). A loop is taken out together with those inside it and, where these can stand alone, without them.
 */
export function uselessLoops({ graph, choices }: Chosen, budget: number): Choice[] {
  const useless = new Set<Choice>();
  for (const { loop, rest } of removals(graph, choices)) {
    if (analyse(sketchLoops(graph, rest), Number.POSITIVE_INFINITY).peak <= budget) useless.add(loop);
  }
  return [...useless];
}
