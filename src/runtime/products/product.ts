import { invariant } from '../../errors.ts';
import type { Product, Seen } from '../tuned.ts';
import type { View3 } from '../view3.ts';
import { ALL_SEEN, type Form, type ProductParameters } from './parameters.ts';

/** A matrix in memory: strides in elements along the batch, the axis that is no other matrix's, and the rest. */
interface Operand {
  readonly base: number;
  readonly batch: number;
  readonly row: number;
  readonly column: number;
}

/** `C (+)= A · B (+ bias)`: A is rows × k, B is k × columns, C and bias are rows × columns. */
interface Problem {
  /** Whether it is the transpose of what was asked for. */
  readonly turned: boolean;
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly k: number;
  readonly accumulate: boolean;
  /** Columns of C lie in lines of so many, if not in one, and the next line starts so many elements after the end of one. */
  readonly line?: number;
  readonly gap?: number;
  readonly a: Operand;
  readonly b: Operand;
  readonly c: Operand;
  readonly bias: Operand | undefined;
  readonly seen?: Seen | undefined;
}

const operand = ({ base, strides: [batch, row, column] }: View3): Operand => ({ base, batch, row, column });

/** The parameters of a product, how many matrices it makes, and whether its A is the `b` that was given, and B the `a`. */
export function productParameters(
  product: Product<View3>,
  { unit, narrow }: Form,
): { batch: number; turned: boolean; parameters: ProductParameters } {
  const { turned, batch, rows, columns, k, accumulate, a, b, c, bias, line, gap, seen } = problemOf(
    product,
    narrow,
  );
  const parameters = {
    rows,
    columns,
    k,
    accumulate: Number(accumulate),
    a: a.base * unit,
    aBatch: a.batch * unit,
    aRow: a.row * unit,
    aK: a.column * unit,
    b: b.base * unit,
    bBatch: b.batch * unit,
    bColumn: b.column * unit,
    bK: b.row * unit,
    c: c.base * unit,
    cBatch: c.batch * unit,
    cRow: c.row * unit,
    cColumn: c.column * unit,
    cLine: line ?? columns,
    cGap: (gap ?? 0) * unit,
    bias: (bias?.base ?? 0) * unit,
    biasBatch: (bias?.batch ?? 0) * unit,
    biasRow: (bias?.row ?? 0) * unit,
    biasColumn: (bias?.column ?? 0) * unit,
    ...ALL_SEEN,
    ...(seen?.of === 'columns' ? { columnsSeen: seen.first } : {}),
    ...(seen?.of === 'terms' ? { termsSeen: seen.first } : {}),
  };
  return { batch, turned, parameters };
}

/** The product as a problem whose columns, which the lanes run along, are those of C that fill them best. */
function problemOf({ out, a, b, bias, accumulate = false, seen }: Product<View3>, narrow: number): Problem {
  const [batch, rows, columns] = out.extents;
  const k = a.extents[2];
  invariant(
    a.extents[1] === rows && b.extents[2] === columns && b.extents[1] === k,
    () => `multiply: [${a.extents}] · [${b.extents}] does not make [${out.extents}]`,
  );
  const fits = ({ extents }: View3): boolean => extents[0] === batch || extents[0] === 1;
  invariant(
    fits(a) && fits(b),
    () => `multiply: batches of ${a.extents[0]} and ${b.extents[0]} do not make one of ${batch}`,
  );
  invariant(
    !bias || bias.strides[1] === 0 || bias.strides[2] === 0,
    () => 'multiply: a bias changes along rows and along columns',
  );
  const problem: Problem = {
    turned: false,
    batch,
    rows,
    columns,
    k,
    accumulate,
    a: operand(a),
    b: operand(b),
    c: operand(out),
    bias: bias && operand(bias),
  };
  const [, down, across] = out.strides;
  const turn = columns < narrow ? rows > columns : across !== 1 && down === 1;
  // Rows that see different parts stay rows of their own matrices.
  if (seen && !turn) return { ...problem, seen };
  return foldColumns(foldRows(turn ? transposed(problem) : problem), narrow);
}

const turned = ({ base, batch, row, column }: Operand): Operand => ({
  base,
  batch,
  row: column,
  column: row,
});

/** Cᵀ = Bᵀ · Aᵀ. */
const transposed = ({ rows, columns, a, b, c, bias, ...rest }: Problem): Problem => ({
  ...rest,
  turned: true,
  rows: columns,
  columns: rows,
  a: turned(b),
  b: turned(a),
  c: turned(c),
  bias: bias && turned(bias),
});

/** Whether an operand's matrices are one matrix, lying behind each other along their rows or columns. */
const continues = ({ batch }: Operand, stride: number, extent: number): boolean =>
  extent === 1 || batch === stride * extent;

/** Matrices of one B below each other are one matrix, where strides allow. */
function foldRows(problem: Problem): Problem {
  const { batch, rows, a, b, c, bias } = problem;
  if (batch === 1 || b.batch !== 0) return problem;
  if (![a, c, ...(bias ? [bias] : [])].every((one) => continues(one, one.row, rows))) return problem;
  const folded = (operand: Operand): Operand => ({
    ...operand,
    batch: 0,
    row: rows > 1 ? operand.row : operand.batch,
  });
  // A bias must not change along both axes.
  if (bias && folded(bias).row !== 0 && bias.column !== 0) return problem;
  return {
    ...problem,
    ...{ batch: 1, rows: batch * rows, a: folded(a), c: folded(c), bias: bias && folded(bias) },
  };
}

/**
 * Matrices of one A beside each other are one matrix, where strides allow. C may lie in lines that do not follow each other,
 * unless they are narrow.
 */
function foldColumns(problem: Problem, narrow: number): Problem {
  const { batch, columns, a, b, c, bias } = problem;
  if (batch === 1 || a.batch !== 0) return problem;
  const inLine = continues(c, c.column, columns);
  if (!inLine && columns < narrow) return problem;
  if (![b, ...(bias ? [bias] : [])].every((one) => continues(one, one.column, columns))) return problem;
  const folded = (operand: Operand): Operand => ({
    ...operand,
    batch: 0,
    column: columns > 1 ? operand.column : operand.batch,
  });
  if (bias && folded(bias).column !== 0 && bias.row !== 0) return problem;
  return {
    ...problem,
    ...{ batch: 1, columns: batch * columns, b: folded(b), c: folded(c), bias: bias && folded(bias) },
    ...(inLine ? {} : { line: columns, gap: c.batch - c.column * columns }),
  };
}
