import type { LoopNode, LoopResult, ValueId } from '../../ir/node.ts';
import type { Step } from '../../ir/program.ts';
import type { Places } from './place.ts';

const known = new WeakMap<LoopNode, { readonly situation: string; readonly steps: readonly Step[] }>();

/**
 * The steps of the body of a sketch. They depend on how the values around it lie in their storages, and on nothing else that
 * is around: the search puts the same loops into many plans, and the last answer is mostly right.
 */
export function sketchedSteps(
  loop: LoopNode,
  around: Places,
  indirect: ReadonlySet<LoopResult>,
  lower: () => readonly Step[],
): readonly Step[] {
  const situation = situationOf(loop, around, indirect);
  const last = known.get(loop);
  if (last?.situation === situation) return last.steps;
  const steps = lower();
  known.set(loop, { situation, steps });
  return steps;
}

function situationOf(loop: LoopNode, around: Places, indirect: ReadonlySet<LoopResult>): string {
  const numbers = new Map<ValueId, number>();
  let text = '';
  for (const { storage, layout, name } of around.values()) {
    const number = numbers.get(storage) ?? numbers.size;
    numbers.set(storage, number);
    text += `${number} ${layout.offset} ${layout.strides.join()} ${layout.shape.join()} ${name ?? ''};`;
  }
  for (const result of loop.results) text += indirect.has(result) ? 'i' : 'd';
  return text;
}
