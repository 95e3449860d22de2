import { describeCut, type NodeCut } from '../../ir/flow.ts';
import type { ValueId } from '../../ir/node.ts';
import { loopCost, reluctance, sharesOf, workOf } from '../cost/cost.ts';
import type { Weights } from '../cost/cost-model.ts';
import { type GraphIndex, indexGraph } from '../graph/graph-index.ts';
import type { Repeat } from '../graph/repeats.ts';
import { sketchLoop } from '../loops/place-loops.ts';
import { arrange, type Choice, type Region, renameChoice } from '../loops/region.ts';

/** Loops that were chosen together: a region and its repeats, with one chunk size and the same loops inside. */
export interface Family {
  /** Its first loop; the loops inside name the values of this one. */
  readonly model: Choice;
  readonly repeats: readonly Repeat[];
  /** One a repeat. */
  readonly choices: readonly Choice[];
  /** L of all of its loops. */
  readonly cost: number;
}

/** The loops of `model` over each of the repeats of its region; `cost` is L of one of them. */
export const familyOf = (model: Choice, repeats: readonly Repeat[], cost: number): Family => ({
  model,
  repeats,
  choices: repeats.map(({ region, names }) => placedAt(model, region, names)),
  cost: cost * repeats.length,
});

function placedAt({ chunkSize, inner }: Choice, region: Region, names: Repeat['names']): Choice {
  return inner
    ? { region, chunkSize, inner: inner.map((choice) => renameChoice(choice, names)) }
    : { region, chunkSize };
}

export const choicesOf = (families: readonly Family[]): Choice[] =>
  families.flatMap(({ choices }) => choices);

export const regionsOf = (families: readonly Family[]): Region[] =>
  families.flatMap(({ repeats }) => repeats.map(({ region }) => region));

/** All loops inside a choice, at any depth. */
export const innerChoices = ({ inner = [] }: Choice): Choice[] =>
  inner.flatMap((choice) => [choice, ...innerChoices(choice)]);

/** A choice with `by` in place of one of the loops inside it; without it where there is no `by`. */
export function replaceInner(choice: Choice, target: Choice, by: Choice | undefined): Choice {
  if (choice === target) return by ?? choice;
  const { region, chunkSize, inner = [] } = choice;
  const replaced = inner.flatMap((other) =>
    other === target ? (by ?? []) : replaceInner(other, target, by),
  );
  return replaced.length === 0 ? { region, chunkSize } : { region, chunkSize, inner: replaced };
}

/** L of the loops inside a loop, over all iterations of the loops around them. */
export function innerCost(index: GraphIndex, choice: Choice, weights: Weights): number {
  const { region, chunkSize, inner = [] } = choice;
  const inside = inner.length === 0 ? undefined : arrange(index, region)?.inside;
  if (!inside) return 0;
  const { loop } = sketchLoop(index, { region, chunkSize }, inside);
  const body = indexGraph(loop.body);
  const names = new Map(loop.results.map(({ id, value }) => [id, value]));
  let cost = 0;
  for (const other of inner) {
    const renamed = renameChoice(other, names);
    const nodes = arrange(body, renamed.region)?.inside ?? [];
    const { loop: sketch } = sketchLoop(
      body,
      { region: renamed.region, chunkSize: renamed.chunkSize },
      nodes,
    );
    const calls = nodes.filter((node) => workOf(node, body.types).elements > 0).length;
    const shares = sharesOf(renamed.region, renamed.chunkSize, body.types);
    const { total } = loopCost(nodes, sketch, calls, renamed.chunkSize, body.types, weights, shares);
    cost += reluctance(sketch) * total;
    cost += innerCost(body, renamed, weights);
  }
  return cost * Math.ceil(region.extent / chunkSize);
}

/** Text that two lists of families share only if they are the same loops. */
export const keyOf = (families: readonly Family[]): string => families.map(familyKey).sort().join('|');

const familyKeys = new WeakMap<Family, string>();

function familyKey(family: Family): string {
  let key = familyKeys.get(family);
  if (key === undefined) {
    key = family.choices.map(choiceKey).sort().join(';');
    familyKeys.set(family, key);
  }
  return key;
}

const choiceKey = ({ region, chunkSize, inner = [] }: Choice): string =>
  `${regionKey(region)} ${chunkSize} [${inner.map(choiceKey).sort().join(';')}]`;

/** Text that two regions share only if they are equal. */
export function regionKey({ cuts, extent }: Region): string {
  const [id, cut] = [...cuts].at(-1) as [ValueId, NodeCut];
  return `${[...cuts.keys()].join(' ')} ${id} ${describeCut(cut)} ${cut.multiple} ${extent}`;
}

/** Text that plans share whose loops cut the same, however many nodes they have. */
export const axesOf = (families: readonly Family[]): string =>
  describeLoops(models(families), (_, cut) => describeCut(cut));

/** Text that plans share whose loops end at the same nodes and cut them the same. */
export const endsOf = (families: readonly Family[]): string =>
  describeLoops(models(families), (id, cut) => `${id} ${describeCut(cut)}`);

const models = (families: readonly Family[]): Choice[] => families.map(({ model }) => model);

/** Loops and those inside them, whatever their order: each by its extent and what is said of its last node. */
function describeLoops(loops: readonly Choice[], last: (id: ValueId, cut: NodeCut) => string): string {
  const texts = loops.map(({ region: { cuts, extent }, inner = [] }) => {
    const [id, cut] = [...cuts].at(-1) as [ValueId, NodeCut];
    return `${extent} ${last(id, cut)} [${describeLoops(inner, last)}]`;
  });
  return texts.sort().join(';');
}
