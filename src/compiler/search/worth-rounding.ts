import { isContraction } from '../../ir/flow.ts';
import type { Region } from '../loops/region.ts';
import { innerChoices } from './family.ts';
import type { PartialPlan } from './partial-plans.ts';
import type { Spot } from './spot.ts';

/** The share of what other loops leave that splitting a reduction must take off, where they stay within a budget. */
const WORTH_ROUNDING = 1 / 10;
/** The same for the smallest peak, and where nothing else meets the budget. */
export const WORTH_REACHING = 1 / 24;

/** The loops that split nothing, and those that leave enough less of a peak than they and the plan as it is. */
export function worthRounding<T extends { readonly region: Region }>(
  loops: readonly T[],
  left: (one: T) => number,
  { state: { peak } }: Spot,
  budget: number | undefined,
): readonly T[] {
  const least = loops.reduce((least, one) => (splits(one) ? least : Math.min(least, left(one))), peak);
  const share = budget !== undefined && least <= budget ? WORTH_ROUNDING : WORTH_REACHING;
  return loops.filter((one) => !splits(one) || left(one) <= least * (1 - share));
}

/** A plan that splits more reductions must be lower by a share. */
export const isWorthRounding = (lower: PartialPlan, least: PartialPlan): boolean =>
  splitsOf(lower) <= splitsOf(least) || lower.state.peak <= least.state.peak * (1 - WORTH_REACHING);

const splitsOf = ({ families }: PartialPlan): number =>
  families.flatMap(({ model }) => [model, ...innerChoices(model)].filter(splits)).length;

/** Does a loop add up in parts what is added up at once without it? */
export const splits = ({ region }: { readonly region: Region }): boolean =>
  [...region.cuts.values()].some(isContraction);
