import { parseFormula } from '../../formula/parse.ts';
import { opsOf } from '../../formula/walk.ts';
import { type Attrs, isTextAttr, type ValueId } from '../../ir/node.ts';
import type { Program, Step } from '../../ir/program.ts';

type Call = Extract<Step, { kind: 'call' }>;

/** Sums and what is normalised: as large as they get, they are no masks. */
const SUMS: ReadonlySet<string> = new Set('matmul linear einsum softmax layerNorm rmsNorm iota'.split(' '));
/** Arithmetic that makes no masks of numbers that are none. */
const ARITHMETIC: ReadonlySet<string> = new Set(
  (
    'add sub mul neg abs copy relu leakyRelu silu gelu sigmoid tanh erf sin cos maximum minimum clamp ' +
    'addScalar mulScalar divScalar rsubScalar maximumScalar minimumScalar'
  ).split(' '),
);
/** Numbers of the author beyond this may be meant as masks. */
const LARGE = 1e30;

/**
 * Tells of which values softmax gives masked ones weight 0, as long as they are finite: sums of products, and what arithmetic with
 * parameters and other such values makes of them. Not inputs, nor what is selected: a mask that is a tensor makes scores as low as
 * those of later keys, and in a row that has no others, all keys weigh alike, the later ones too.
 */
export function boundedScores({ params, steps }: Program): (value: ValueId) => boolean {
  const parameters = new Set(params.map(({ id }) => id));
  const writers = new Map<ValueId, Call>();
  const views = new Map<ValueId, ValueId>();
  const collect = (all: readonly Step[]): void => {
    for (const step of all) {
      if (step.kind === 'call') writers.set(step.into, step);
      else if (step.kind === 'view') views.set(step.value, step.of);
      else if (step.kind === 'loop') collect(step.steps);
    }
  };
  collect(steps);
  const known = new Map<ValueId, boolean>();
  const isBounded = (value: ValueId): boolean => {
    const found = known.get(value);
    if (found !== undefined) return found;
    // Nothing is said of what is made of itself, as loops carry it.
    known.set(value, false);
    const bounded = isMadeOfBounded(value);
    known.set(value, bounded);
    return bounded;
  };
  const isMadeOfBounded = (value: ValueId): boolean => {
    if (parameters.has(value)) return true;
    const writer = writers.get(value);
    if (writer) {
      if (SUMS.has(writer.node.op)) return true;
      return partsOf(writer).every(isArithmetic) && writer.operands.every(isBounded);
    }
    const of = views.get(value);
    return of !== undefined && isBounded(of);
  };
  return isBounded;
}

/** The ops that a call consists of. */
const partsOf = ({ node: { op, attrs } }: Call): readonly { readonly op: string; readonly attrs: Attrs }[] =>
  op === 'fused' && isTextAttr(attrs.formula) ? opsOf(parseFormula(attrs.formula.text)) : [{ op, attrs }];

const isArithmetic = ({ op, attrs }: { readonly op: string; readonly attrs: Attrs }): boolean =>
  ARITHMETIC.has(op) &&
  Object.values(attrs).every((value) => typeof value !== 'number' || Math.abs(value) <= LARGE);
