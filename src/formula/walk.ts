import type { Formula, FormulaOp } from './formula.ts';

/** The ops of a formula in the order in which they are computed. */
export function opsOf(formula: Formula): FormulaOp[] {
  if (formula.kind === 'operand') return [];
  return [...formula.operands.flatMap(opsOf), formula];
}

/** How many operands a formula has: one more than the last it names. */
export const operandCount = (formula: Formula): number =>
  formula.kind === 'operand' ? formula.index + 1 : Math.max(0, ...formula.operands.map(operandCount));

/** Computes a formula: `operand` gives operands by position, `apply` what an op makes of what it is applied to. */
export function evaluateFormula<T>(
  formula: Formula,
  operand: (index: number) => T,
  apply: (op: FormulaOp, operands: readonly T[]) => T,
): T {
  if (formula.kind === 'operand') return operand(formula.index);
  return apply(
    formula,
    formula.operands.map((part) => evaluateFormula(part, operand, apply)),
  );
}
