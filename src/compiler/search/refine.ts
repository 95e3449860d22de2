import { evenChunk } from '../../layout/chunks.ts';
import type { Choice } from '../loops/region.ts';
import { fits, type State } from '../memory/state.ts';
import { type Family, familyOf, innerChoices, replaceInner } from './family.ts';
import type { PartialPlan, PartialPlans } from './partial-plans.ts';

/** Drops loops that the budget does not need, the dearest first, and makes the chunks of the others as large as it allows. */
export function refine(plans: PartialPlans, plan: PartialPlan, budget: number): PartialPlan {
  let current = plan;
  const trialOf = (at: number, family: Family | undefined): PartialPlan =>
    plans.of(current.families.flatMap((other, i) => (i === at ? (family ?? []) : other)));
  const replace = (at: number, family: Family | undefined): boolean => {
    const trial = trialOf(at, family);
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
    const trial = (model: Choice): Trial => {
      const other = plans.remodelled(family(), model);
      const { state } = trialOf(at, other);
      return { fits: replace(at, other), peak: peakOf(state, other) };
    };
    const peak = (): number => peakOf(current.state, family());
    enlarge(family().model, budget, peak(), (chunkSize) => trial({ ...family().model, chunkSize }));
    for (let i = 0; i < innerChoices(family().model).length; i++) {
      const inner = (): Choice => innerChoices(family().model)[i] as Choice;
      enlarge(inner(), budget, peak(), (chunkSize) =>
        trial(replaceInner(family().model, inner(), { ...inner(), chunkSize })),
      );
    }
  }
  return current;
}

/** What a chunk size leads to: is it within the budget, and then taken, and at what peak do the loops run? */
interface Trial {
  readonly fits: boolean;
  readonly peak: number;
}

/** Most live bytes while the loops of a family run. */
function peakOf({ index, peaks }: State, { repeats }: Family): number {
  let most = 0;
  for (const { region } of repeats) {
    for (const id of region.cuts.keys()) {
      const at = index.definedAt.get(id);
      if (at !== undefined) most = Math.max(most, peaks[at] as number);
    }
  }
  return most;
}

/**
 * Finds the largest chunk size that fits, then evens it out. A peak is mostly a line over the chunk size: where the line
 * between a size that fits and one that does not meets the budget is close to the answer. Every third step halves the
 * interval, whatever the peaks are.
 */
function enlarge(
  { region: { extent }, chunkSize }: Choice,
  budget: number,
  peak: number,
  attempt: (chunkSize: number) => Trial,
): void {
  let low = chunkSize;
  let lowPeak = peak;
  let high = Math.ceil(extent / 2) + 1;
  let highPeak: number | undefined;
  for (let steps = 0; high - low > 1; steps++) {
    const share = highPeak === undefined ? 1 : (budget - lowPeak) / (highPeak - lowPeak);
    const isLine = steps % 3 < 2 && share >= 0 && share <= 1;
    const guess = isLine ? Math.floor(low + share * (high - low)) : Math.floor((low + high) / 2);
    const size = Math.min(Math.max(guess, low + 1), high - 1);
    const { fits, peak } = attempt(size);
    if (fits) [low, lowPeak] = [size, peak];
    else [high, highPeak] = [size, peak];
  }
  const even = evenChunk(extent, low);
  if (even !== low) attempt(even);
}
