import type { ValueId } from '../ir/node.ts';
import type { Program, Step } from '../ir/program.ts';

export interface Uses {
  /** How often code mentions a value, not counting frees and views that nothing needs. */
  readonly count: ReadonlyMap<ValueId, number>;
  /**
   * Allocations and views that a call can introduce where it writes them: `const y = k.relu(x, { into: … })`. Only other
   * allocations and views come in between, so writing the allocation there leaves the peak as it is.
   */
  readonly introduced: ReadonlySet<ValueId>;
}

export function countUses(program: Program): Uses {
  const count = new Map<ValueId, number>();
  const use = (id: ValueId): void => void count.set(id, (count.get(id) ?? 0) + 1);
  for (const output of program.outputs) use(output.value);
  const introduced = new Set<ValueId>();
  const walk = (steps: readonly Step[]): void => {
    for (let i = steps.length - 1; i >= 0; i--) {
      const step = steps[i] as Step;
      if (step.kind === 'loop') walk(step.steps);
      else if (step.kind === 'view' && count.has(step.value)) use(step.of);
      else if (step.kind === 'call') {
        for (const id of [...step.operands, step.into, ...step.scratch]) use(id);
        const made = madeJustBefore(steps, i, step.into);
        if (made) introduced.add(step.into);
      }
    }
  };
  walk(program.steps);
  return { count, introduced };
}

/** Whether `value` is made before step `call` with nothing but allocations and views of other values in between. */
function madeJustBefore(steps: readonly Step[], call: number, value: ValueId): boolean {
  const user = steps[call];
  if (user?.kind !== 'call' || user.operands.includes(value) || user.scratch.includes(value)) return false;
  for (let i = call - 1; i >= 0; i--) {
    const step = steps[i] as Step;
    if (step.kind !== 'alloc' && step.kind !== 'view') return false;
    if (step.value === value) return true;
    if (step.kind === 'view' && step.of === value) return false;
  }
  return false;
}
