import { sketchLoops } from '../compiler/loops/place-loops.ts';
import type { Choice } from '../compiler/loops/region.ts';
import { analyse } from '../compiler/memory/state.ts';
import type { Chosen } from '../compiler/passes/recompute.ts';
import { innerChoices } from '../compiler/search/family.ts';

/**
 * The loops of a plan that it does not need: without them its peak is within the budget all the same (bytes; for `min`, its own
 * peak). A loop is taken out together with those inside it and, where these can stand alone, without them.
 */
export function uselessLoops({ graph, choices }: Chosen, budget: number): Choice[] {
  const values = new Set(graph.nodes.map(({ id }) => id));
  // A loop over what its surroundings carry has no meaning without them.
  const canStand = ({ region }: Choice): boolean => [...region.cuts.keys()].every((id) => values.has(id));
  const useless = new Set<Choice>();
  for (const { loop, rest } of removals(choices, canStand)) {
    if (analyse(sketchLoops(graph, rest), Number.POSITIVE_INFINITY).peak <= budget) useless.add(loop);
  }
  return [...useless];
}

/** All loops of a plan, at any depth. */
export const loopsOf = (choices: readonly Choice[]): Choice[] =>
  choices.flatMap((choice) => [choice, ...innerChoices(choice)]);

interface Removal {
  readonly loop: Choice;
  readonly rest: readonly Choice[];
}

function* removals(
  choices: readonly Choice[],
  canStand: (choice: Choice) => boolean,
): Generator<Removal, void> {
  for (const [i, loop] of choices.entries()) {
    const { region, chunkSize, inner = [] } = loop;
    yield { loop, rest: choices.toSpliced(i, 1) };
    if (inner.length > 0 && inner.every(canStand)) yield { loop, rest: choices.toSpliced(i, 1, ...inner) };
    for (const { loop: other, rest } of removals(inner, canStand)) {
      const fewer = rest.length > 0 ? { region, chunkSize, inner: rest } : { region, chunkSize };
      yield { loop: other, rest: choices.with(i, fewer) };
    }
  }
}
