import { addDims, type Dim, dimTerms, subDims } from '../../ir/dims.ts';
import type { OpNode, ValueId } from '../../ir/node.ts';
import type { Backend } from '../../ir/ops/op.ts';
import type { Program, Step } from '../../ir/program.ts';
import { boundedScores } from '../graph/bounded-scores.ts';
import { readBy, type StepOf, storagesOf } from './steps.ts';

type Steps = readonly Step[];

/**
 * Tells the products around a causal softmax what its rows see: scores behind the last key that a row sees are read by nobody, and
 * weights behind it are zeros, which add nothing. A device may leave out both: half of the work of causal attention without
 * loops, and within loops over rows what `skipMasked`, which looks at the last row of a chunk, leaves over.
 *
 * Results keep their bits as long as scores and the values of later keys are finite (0 · ∞ is no zero).
 */
export function limitProducts(program: Program, backend: Backend): Program {
  // Its kernels compute products whole.
  if (backend === 'cpu') return program;
  const outputs = program.outputs.map(({ value }) => value);
  return { ...program, steps: limitIn(program.steps, outputs, boundedScores(program)) };
}

function limitIn(steps: Steps, outputs: readonly ValueId[], isBounded: (value: ValueId) => boolean): Steps {
  const limits = new Map<Step, Readonly<Record<string, Dim>>>();
  steps.forEach((soft, at) => {
    if (soft.kind !== 'call' || soft.node.op !== 'causalSoftmax') return;
    const { rowStart, columnStart } = soft.node.attrs as { rowStart: Dim; columnStart: Dim };
    const first = addDims(subDims(rowStart, columnStart), 1);
    // A row that sees no key, or none above masked ones, weighs all alike.
    if (!isPositive(first) || !isBounded(soft.operands[0] as ValueId)) return;
    const scores = scoresOf(steps, at, soft, outputs);
    if (scores) limits.set(scores, { columnsSeen: first });
    for (const step of steps.slice(at + 1)) {
      if (isProduct(step) && step.operands[0] === soft.into && step.operands[1] !== soft.into)
        limits.set(step, { termsSeen: first });
    }
  });
  return steps.map((step): Step => {
    if (step.kind === 'loop') return { ...step, steps: limitIn(step.steps, outputs, isBounded) };
    const limit = limits.get(step);
    return step.kind === 'call' && limit ? { ...step, node: withAttrs(step.node, limit) } : step;
  });
}

const withAttrs = (node: OpNode, attrs: OpNode['attrs']): OpNode => ({
  ...node,
  attrs: { ...node.attrs, ...attrs },
});

const isProduct = (step: Step): step is StepOf<'call'> => step.kind === 'call' && step.node.op === 'matmul';

/** The product that makes the scores of a softmax, where nothing else reads them. */
function scoresOf(
  steps: Steps,
  at: number,
  soft: StepOf<'call'>,
  outputs: readonly ValueId[],
): StepOf<'call'> | undefined {
  const [scores] = soft.operands as [ValueId];
  const from = steps.slice(0, at).findLastIndex((step) => step.kind === 'call' && step.into === scores);
  const product = steps[from];
  const storageOf = storagesOf(steps);
  const storage = storageOf(scores);
  const isOwn = steps.some((step) => step.kind === 'alloc' && step.value === storage);
  if (!product || !isProduct(product) || !isOwn) return undefined;
  const lies = (value: ValueId): boolean => storageOf(value) === storage;
  const reads = (step: Step): boolean => readBy(step).some(lies);
  const isReadBefore = steps.slice(from + 1, at).some(reads);
  // Softmax in place leaves nothing of the scores.
  const isReadAfter = !lies(soft.into) && (steps.slice(at + 1).some(reads) || outputs.some(lies));
  return isReadBefore || isReadAfter ? undefined : product;
}

/** Is a dimension at least 1, whatever its names, none of which is negative, stand for? */
function isPositive(dim: Dim): boolean {
  const terms = dimTerms(dim);
  const constant = terms.find(({ names }) => names.length === 0)?.coefficient ?? 0;
  return constant >= 1 && terms.every(({ coefficient }) => coefficient > 0);
}
