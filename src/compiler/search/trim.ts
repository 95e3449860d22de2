import { definedBy, type Node, type ValueId } from '../../ir/node.ts';
import { baseOf } from '../graph/derived.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { arrange, type Choice, isProportional, type Region } from '../loops/region.ts';
import { fits } from '../memory/state.ts';
import { type Family, innerChoices, replaceInner } from './family.ts';
import type { PartialPlan, PartialPlans } from './partial-plans.ts';

/** Takes nodes out of loops where that makes the plan cheaper and keeps it within the budget. */
export function trim(plans: PartialPlans, plan: PartialPlan, budget: number): PartialPlan {
  let current = plan;
  for (let at = 0; at < plan.families.length; at++) {
    const cheaper = (): PartialPlan | undefined =>
      [...shorter(plans, current.families[at] as Family)]
        .map((family) => plans.of(current.families.with(at, family)))
        .filter(({ cost }) => cost < current.cost)
        .sort((a, b) => a.cost - b.cost)
        .find(({ state }) => fits(state, budget));
    for (let next = cheaper(); next; next = cheaper()) current = next;
  }
  return current;
}

/**
 * A family without one of the nodes of its loops, or of a loop inside, in every way; also without all that leads to that node
 * only. Loops whose parts overlap or add up stay as they are.
 */
function* shorter(plans: PartialPlans, family: Family): Generator<Family, void> {
  const { model, repeats } = family;
  const { index } = plans.empty.state;
  for (const inner of innerChoices(model)) {
    for (const id of endsOf(inner)) {
      if (!canLose(inner, new Set([id]))) continue;
      yield plans.remodelled(family, replaceInner(model, inner, withoutNodes(inner, new Set([id]))));
    }
  }
  if (!canShrink(model)) return;
  // Loops inside are convex without their first or last node.
  const dropped = model.inner
    ? endsOf(model).map((id) => new Set([id]))
    : [...model.region.cuts.keys()].flatMap((id) => [new Set([id]), leadingTo(index, model.region, id)]);
  for (const ids of dropped) {
    if (!canLose(model, ids)) continue;
    const region = without(model.region, ids);
    if (region.cuts.size === 0 || !arrange(index, region)) continue;
    const fewer = repeats.map(({ region, names }) => ({
      region: without(region, new Set([...ids].map((id) => names.get(id) as ValueId))),
      names: new Map([...names].filter(([value]) => !ids.has(value))),
    }));
    yield plans.remodelled({ ...family, repeats: fewer }, withoutNodes(model, ids));
  }
}

/** A node of a region and all others of it that are read on the way to that node alone. */
function leadingTo(index: GraphIndex, { cuts }: Region, id: ValueId): Set<ValueId> {
  const found = new Set([id]);
  for (const other of [...cuts.keys()].reverse()) {
    const users = index.usedAt.get(other) ?? [];
    const leads = users.every((at) =>
      definedBy(index.graph.nodes[at] as Node).every(({ id }) => found.has(id)),
    );
    if (leads && users.length > 0 && !index.outputs.has(other)) found.add(other);
  }
  return found;
}

const canShrink = ({ region }: Choice): boolean => region.cuts.size > 1 && isProportional(region);

/** Do all loops inside whose parts overlap or add up stay as they are without some nodes? */
const canLose = (choice: Choice, ids: ReadonlySet<ValueId>): boolean =>
  innerChoices(choice).every(
    ({ region }) => isProportional(region) || ![...region.cuts.keys()].some((id) => comesOf(id, ids)),
  );

/** The first and the last node of a loop that can do without them. */
function endsOf(choice: Choice): ValueId[] {
  const ids = [...choice.region.cuts.keys()];
  return canShrink(choice) ? [ids[0] as ValueId, ids.at(-1) as ValueId] : [];
}

const without = ({ cuts, extent }: Region, ids: ReadonlySet<ValueId>): Region => ({
  cuts: new Map([...cuts].filter(([value]) => !comesOf(value, ids))),
  extent,
});

/** Is a value one of some, or one that a loop derives from them? */
function comesOf(value: ValueId, ids: ReadonlySet<ValueId>): boolean {
  const base = baseOf(value);
  return ids.has(value) || (base !== undefined && comesOf(base, ids));
}

function withoutNodes({ region, chunkSize, inner = [] }: Choice, ids: ReadonlySet<ValueId>): Choice {
  const fewer = inner.map((choice) => withoutNodes(choice, ids)).filter(({ region }) => region.cuts.size > 0);
  const choice = { region: without(region, ids), chunkSize };
  return fewer.length > 0 ? { ...choice, inner: fewer } : choice;
}
