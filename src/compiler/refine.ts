import { evenChunk } from './evaluate.ts';
import { type Family, familyOf, innerChoices, replaceInner } from './family.ts';
import type { PartialPlan, PartialPlans } from './partial-plans.ts';
import type { Choice } from './region.ts';
import { fits } from './state.ts';

/** Drops loops that the budget does not need, the dearest first, and makes the chunks of the others as large as it allows. */
export function refine(plans: PartialPlans, plan: PartialPlan, budget: number): PartialPlan {
  let current = plan;
  const replace = (at: number, family: Family | undefined): boolean => {
    const families = current.families.flatMap((other, i) => (i === at ? (family ?? []) : other));
    const trial = plans.of(families);
    if (!fits(trial.state, budget)) return false;
    current = trial;
    return true;
  };
  const dearest = (): number[] =>
    current.families
      .map((_, i) => i)
      .sort((a, b) => (current.families[b] as Family).cost - (current.families[a] as Family).cost);
  for (const family of dearest().map((at) => current.families[at] as Family)) {
    replace(current.families.indexOf(family), undefined);
  }
  for (const at of dearest()) {
    const family = (): Family => current.families[at] as Family;
    for (const inner of innerChoices(family().model)) {
      replace(at, plans.remodelled(family(), replaceInner(family().model, inner, undefined)));
    }
    for (const repeat of family().repeats) {
      const { model, repeats, cost } = family();
      if (repeats.length === 1) break;
      const fewer = repeats.filter((other) => other !== repeat);
      replace(at, familyOf(model, fewer, cost / repeats.length));
    }
  }
  for (const at of dearest()) {
    const family = (): Family => current.families[at] as Family;
    enlarge(family().model, (chunkSize) =>
      replace(at, plans.remodelled(family(), { ...family().model, chunkSize })),
    );
    for (let i = 0; i < innerChoices(family().model).length; i++) {
      const inner = (): Choice => innerChoices(family().model)[i] as Choice;
      enlarge(inner(), (chunkSize) => {
        const model = replaceInner(family().model, inner(), { ...inner(), chunkSize });
        return replace(at, plans.remodelled(family(), model));
      });
    }
  }
  return current;
}

/** Finds the largest chunk size that `fits`, then evens it out. */
function enlarge({ region: { extent }, chunkSize }: Choice, fits: (chunkSize: number) => boolean): void {
  let low = chunkSize;
  let high = Math.ceil(extent / 2);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  const even = evenChunk(extent, low);
  if (even !== low) fits(even);
}
