/**
 * What a fused op computes of one element of each operand: ops of the library, applied one after another. Shared by the
 * compiler, which makes formulas, and the runtime, which makes kernels of them. Text of them: `parseFormula`, `printFormula`.
 */
export type Formula = FormulaOperand | FormulaOp;

export interface FormulaOperand {
  readonly kind: 'operand';
  /** Which operand, by position; `a` is the first. */
  readonly index: number;
}

export interface FormulaOp {
  readonly kind: 'op';
  readonly op: string;
  readonly operands: readonly Formula[];
  readonly attrs: Readonly<Record<string, number | boolean>>;
}

/** Operands of one formula: kernels bind one buffer for each and one for the result, and devices promise eight. */
export const MOST_OPERANDS = 7;

/** Ops written between their operands, and the ops of an operand and a number that are written like them. */
export const INFIX = {
  '+': { op: 'add', right: 'addScalar', precedence: 1 },
  '-': { op: 'sub', right: 'addScalar', left: 'rsubScalar', precedence: 1 },
  '*': { op: 'mul', right: 'mulScalar', precedence: 2 },
  '/': { op: 'div', right: 'divScalar', left: 'rdivScalar', precedence: 2 },
} as const satisfies Record<string, { op: string; right: string; left?: string; precedence: number }>;
export type Sign = keyof typeof INFIX;

/** `pow(a, 2)` is the op `powScalar` with the attribute `value`. */
export const SCALAR = 'Scalar';
