import { UserError } from '../../errors.ts';
import { type Formula, type FormulaOp, MOST_OPERANDS } from '../../formula/formula.ts';
import { parseFormula } from '../../formula/parse.ts';
import { printFormula } from '../../formula/print.ts';
import { evaluateFormula, operandCount } from '../../formula/walk.ts';
import type { Attrs, TensorType } from '../node.ts';
import { elementwiseOps, pointwisePattern } from './elementwise.ts';
import { check, type OpDef } from './op.ts';
import { scalarAndComparisonOps } from './scalar.ts';
import { textAttr } from './support.ts';

const NAME = 'fused';

/** The ops that formulas are made of. */
const parts: ReadonlyMap<string, OpDef> = new Map(
  [...elementwiseOps, ...scalarAndComparisonOps].filter((def) => def.pointwise).map((def) => [def.name, def]),
);

/** The op of a formula, and its attributes with those that the text leaves out. */
function partOf({ op, attrs }: FormulaOp): { def: OpDef; attrs: Attrs } {
  const def = parts.get(op);
  check(def, NAME, () => `${op} is no op that can be a part of a formula`);
  return { def, attrs: { ...def.defaults, ...attrs } };
}

const formulas = new Map<string, Formula>();

function formulaOf(attrs: Attrs): Formula {
  const text = textAttr(attrs, 'formula');
  let formula = formulas.get(text);
  if (!formula) {
    formula = parsed(text);
    const canonical = printFormula(formula);
    check(canonical === text, NAME, () => `expected the formula as ${canonical}, got ${text}`);
    formulas.set(text, formula);
  }
  return formula;
}

function parsed(text: string): Formula {
  try {
    return parseFormula(text);
  } catch (error) {
    check(!(error instanceof UserError), NAME, () => (error as Error).message);
    throw error;
  }
}

/** The type of every part of a formula, the last one's last. */
function typesOf(formula: Formula, operands: readonly TensorType[]): Map<Formula, TensorType> {
  const types = new Map<Formula, TensorType>();
  const visit = (part: Formula): TensorType => {
    if (part.kind === 'operand') return operands[part.index] as TensorType;
    const { def, attrs } = partOf(part);
    const type = def.infer(part.operands.map(visit), attrs);
    types.set(part, type);
    return type;
  };
  visit(formula);
  return types;
}

/**
 * Elementwise ops in one kernel, which reads every operand once and writes the result alone. Made of the ops that its formula
 * names: types, costs and the reference are theirs, composed.
 */
const fused: OpDef = {
  name: NAME,
  summary: 'elementwise ops in one pass, as the formula says',
  infer(operands, attrs) {
    const formula = formulaOf(attrs);
    const count = operandCount(formula);
    check(
      operands.length === count,
      NAME,
      () => `${textAttr(attrs, 'formula')} has ${count} operands, got ${operands.length}`,
    );
    check(formula.kind === 'op', NAME, () => 'expected a formula of at least one op');
    return typesOf(formula, operands).get(formula) as TensorType;
  },
  access: pointwisePattern,
  flops(operands, attrs) {
    const formula = formulaOf(attrs);
    const types = typesOf(formula, operands);
    const typeOf = (part: Formula): TensorType =>
      part.kind === 'operand' ? (operands[part.index] as TensorType) : (types.get(part) as TensorType);
    let flops = 0;
    for (const [part, type] of types) {
      const { def, attrs: own } = partOf(part as FormulaOp);
      flops += def.flops((part as FormulaOp).operands.map(typeOf), own, type);
    }
    return flops;
  },
  inPlace: Array.from({ length: MOST_OPERANDS }, (_, i) => i),
  reference(operands, attrs) {
    return evaluateFormula(
      formulaOf(attrs),
      (index) => operands[index] as (typeof operands)[number],
      (part, values) => {
        const { def, attrs: own } = partOf(part);
        const types = values.map(({ shape }): TensorType => ({ shape, dtype: 'f32' }));
        const shape = def.infer(types, own).shape as readonly number[];
        return { shape, data: def.reference(values, own, shape) };
      },
    ).data;
  },
};

export const fusedOps: readonly OpDef[] = [fused];

/** May an op be a part of a formula? */
export const isPart = (op: string): boolean => parts.has(op);
