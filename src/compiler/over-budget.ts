import { formatBytes } from '../ir/bytes.ts';
import { type Bindings, evalShape, printShape, type Shape } from '../ir/dims.ts';
import { fullestIteration } from '../ir/loop.ts';
import type { Graph, ValueId } from '../ir/node.ts';
import type { Step } from '../ir/program.ts';
import { BudgetError } from './budget.ts';
import { estimate } from './memory/estimate.ts';
import { lower } from './memory/lower.ts';

/** How many storages the message lists. */
const LISTED = 8;

/**
 * Says why a budget or a cap cannot be met. `graph` is the plan with the smallest peak that was found, `uncut` names the
 * values in it that are larger than the cap.
 */
export function overBudget(
  graph: Graph,
  budget: number,
  cap: number,
  uncut: readonly ValueId[],
): BudgetError {
  const program = lower(graph);
  const { peakBytes, liveAtPeak } = estimate(program);
  const facts = { budgetBytes: budget, smallestPeakBytes: peakBytes, alive: liveAtPeak };
  if (peakBytes <= budget) {
    return new BudgetError(
      `${graph.name}: no plan keeps every storage within the cap of ${formatBytes(cap)} (${cap} bytes): ` +
        `${uncut.join(', ')} cannot be cut. Raise the cap or use smaller dimensions.`,
      facts,
    );
  }
  const shapes = shapesOf(program.steps);
  for (const input of program.inputs) shapes.set(input.id, input.shape);
  const alive = liveAtPeak.slice(0, LISTED).map(({ value, bytes, at }) => {
    const where = at ? `  ${at.file}:${at.line}:${at.column}` : '';
    return `  ${formatBytes(bytes).padStart(11)}  ${value} ${printShape(shapes.get(value) ?? [])}${where}`;
  });
  return new BudgetError(
    `${graph.name}: no plan meets the budget of ${formatBytes(budget)} (${budget} bytes): the smallest peak the ` +
      `search reaches is ${formatBytes(peakBytes)} (${peakBytes} bytes). Alive there:\n${alive.join('\n')}\n` +
      'Raise the budget or use smaller dimensions.',
    facts,
  );
}

/** Shapes of all storages, in loops those of a full chunk. */
function shapesOf(
  steps: readonly Step[],
  bindings: Bindings = {},
  shapes = new Map<ValueId, Shape>(),
): Map<ValueId, Shape> {
  for (const step of steps) {
    if (step.kind === 'alloc') shapes.set(step.value, evalShape(step.shape, bindings));
    if (step.kind !== 'loop') continue;
    shapesOf(step.steps, fullestIteration(step.loop, bindings), shapes);
  }
  return shapes;
}
