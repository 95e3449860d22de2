import type { OpNode, ValueId } from '../../ir/node.ts';
import type { Program, Step } from '../../ir/program.ts';
import { readBy, type StepOf, storagesOf } from './steps.ts';

type Steps = readonly Step[];

/**
 * Makes one kernel of a causal mask and the softmax that reads what it masks: `causalSoftmax` neither reads nor exponentiates
 * what a row does not see. The bits are those of the two, and so are the bytes at every peak: where masked scores had a
 * storage of their own, that of the scores is kept in its place, which is as large.
 */
export function foldMasks(program: Program): Program {
  const outputs = new Set(program.outputs.map(({ value }) => value));
  return { ...program, steps: foldIn(program.steps, outputs) };
}

function foldIn(steps: Steps, outputs: ReadonlySet<ValueId>): Steps {
  let current: Steps = steps.map((step) =>
    step.kind === 'loop' ? { ...step, steps: foldIn(step.steps, outputs) } : step,
  );
  for (const step of steps) {
    if (step.kind === 'call' && step.node.op === 'causalMask')
      current = folded(current, step, outputs) ?? current;
  }
  return current;
}

/** The steps without a mask; undefined where it stays. */
function folded(steps: Steps, mask: StepOf<'call'>, outputs: ReadonlySet<ValueId>): Steps | undefined {
  const at = steps.indexOf(mask);
  const next = steps.findIndex((step, i) => i > at && (step.kind === 'call' || step.kind === 'loop'));
  const soft = steps[next];
  if (soft?.kind !== 'call' || soft.node.op !== 'softmax' || soft.operands[0] !== mask.into) return undefined;
  if (soft.node.attrs.axis !== soft.node.shape.length - 1) return undefined;

  const storageOf = storagesOf(steps);
  const allocated = (value: ValueId): StepOf<'alloc'> | undefined =>
    steps.find((step) => step.kind === 'alloc' && step.value === value) as StepOf<'alloc'> | undefined;
  const [scores] = mask.operands as [ValueId];
  const [held, masked] = [storageOf(scores), storageOf(mask.into)];
  const lies = (value: ValueId): boolean => storageOf(value) === masked;
  const isReadLater =
    [...outputs].some(lies) || steps.slice(next + 1).some((step) => readBy(step).some(lies));
  const own = allocated(masked);
  if (!own || (isReadLater && !lies(soft.into))) return undefined;

  const unmasked = steps.flatMap((step): Steps => {
    if (step === mask) return [];
    return step === soft ? [{ ...soft, operands: [scores], node: causalSoftmax(mask, soft) }] : [step];
  });
  if (held === masked) return withoutView(unmasked, mask.into);
  // Scores that were freed between the two live until masked ones would have been freed.
  const freed = steps.slice(at, next).find((step) => step.kind === 'free' && step.value === held);
  const isWhole = scores === held && mask.into === masked;
  if (!freed || !isWhole || allocated(held)?.role !== 'value' || own.role !== 'value') return undefined;
  const kept = unmasked.filter((step) => step !== freed && step !== own);
  return renamed(kept, masked, held);
}

const causalSoftmax = ({ node: mask }: StepOf<'call'>, { node }: StepOf<'call'>): OpNode => ({
  ...node,
  op: 'causalSoftmax',
  operands: mask.operands,
  attrs: mask.attrs,
  parts: [{ id: mask.id, scope: mask.scope, ...(mask.at ? { at: mask.at } : {}) }],
});

/** The steps without the view, and the one that it is a part of, through which a value was written in place of another. */
function withoutView(steps: Steps, value: ValueId): Steps {
  const view = steps.find((step) => step.kind === 'view' && step.value === value);
  if (view?.kind !== 'view') return steps;
  const others = steps.filter((step) => step !== view);
  return view.view.kind === 'same' ? renamed(others, value, view.of) : withoutView(others, view.of);
}

/** The steps with what was seen and freed as `from` seen and freed as `to`; no kernel reads or writes it under that name. */
const renamed = (steps: Steps, from: ValueId, to: ValueId): Steps =>
  steps.map((step) => {
    if (step.kind === 'view' && step.of === from) return { ...step, of: to };
    return step.kind === 'free' && step.value === from ? { ...step, value: to } : step;
  });
