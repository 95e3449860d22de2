import { operandsOf, type ValueId } from '../../ir/node.ts';
import type { Step } from '../../ir/program.ts';

export type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>;

/** The values that kernels of a step read. */
export const readBy = (step: Step): readonly ValueId[] =>
  step.kind === 'call' ? step.operands : step.kind === 'loop' ? operandsOf(step.loop) : [];

/** The storage that a value lies in, as far as these steps tell. */
export function storagesOf(steps: readonly Step[]): (value: ValueId) => ValueId {
  const seen = new Map(
    steps.flatMap((step) => (step.kind === 'view' ? [[step.value, step.of] as const] : [])),
  );
  return function storageOf(value): ValueId {
    const of = seen.get(value);
    return of === undefined ? value : storageOf(of);
  };
}
