import type { Graph } from '../../ir/node.ts';
import { indexGraph } from '../graph/graph-index.ts';
import { arrange, type Choice } from '../loops/region.ts';
import type { Chosen } from '../passes/recompute.ts';
import { innerChoices } from './family.ts';

/** A loop taken out of a plan, and what is left. */
export interface Removal {
  readonly loop: Choice;
  readonly rest: readonly Choice[];
}

/** All loops of a plan, at any depth. */
export const loopsOf = (choices: readonly Choice[]): Choice[] =>
  choices.flatMap((choice) => [choice, ...innerChoices(choice)]);

/** Every loop of a plan taken out, together with those inside it and, where these can stand alone, without them. */
export function* removals(graph: Graph, choices: readonly Choice[]): Generator<Removal, void> {
  const index = indexGraph(graph);
  // A loop over what its surroundings carry has no meaning without them.
  const canStand = ({ region }: Choice): boolean =>
    [...region.cuts.keys()].every((id) => index.definedAt.has(id)) && arrange(index, region) !== undefined;
  yield* within(choices, canStand);
}

function* within(
  choices: readonly Choice[],
  canStand: (choice: Choice) => boolean,
): Generator<Removal, void> {
  for (const [i, loop] of choices.entries()) {
    const { region, chunkSize, inner = [] } = loop;
    yield { loop, rest: choices.toSpliced(i, 1) };
    if (inner.length > 0 && inner.every(canStand)) yield { loop, rest: choices.toSpliced(i, 1, ...inner) };
    for (const { loop: other, rest } of within(inner, canStand)) {
      const fewer = rest.length > 0 ? { region, chunkSize, inner: rest } : { region, chunkSize };
      yield { loop: other, rest: choices.with(i, fewer) };
    }
  }
}

/** Loops are taken out one by one of plans with up to so many; families of equal loops were before. */
const MOST_LOOPS = 24;

/** A plan without the loops that it does not need: what took copies, or other loops, to fit may fit without them in the end. */
export function withoutNeedless(chosen: Chosen, fits: (chosen: Chosen) => boolean): Chosen {
  const { graph, choices } = chosen;
  if (loopsOf(choices).length > MOST_LOOPS) return chosen;
  for (const { rest } of removals(graph, choices)) {
    const fewer = { graph, choices: rest };
    if (fits(fewer)) return withoutNeedless(fewer, fits);
  }
  return chosen;
}
