import { invariant } from '../../../errors.ts';
import type { Product } from '../../tuned.ts';
import type { View3 } from '../../view3.ts';
import { TILE } from './micro-kernel.ts';
import type { ProductParameters } from './parameters.ts';

const FLOAT = 4;

/** A matrix in memory: strides in elements along the batch, the axis that is no other matrix's, and the rest. */
interface Operand {
  readonly base: number;
  readonly batch: number;
  readonly row: number;
  readonly column: number;
}

/** `C (+)= A · B (+ bias)`: A is rows × k, B is k × columns, C and bias are rows × columns. */
interface Problem {
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
}

const operand = ({ base, strides: [batch, row, column] }: View3): Operand => ({ base, batch, row, column });

/** The parameters of a product and how many matrices it makes. */
export function productParameters(product: Product<View3>): { batch: number; parameters: ProductParameters } {
  const { batch, rows, columns, k, accumulate, a, b, c, bias, line, gap } = problemOf(product);
  const parameters = {
    rows,
    columns,
    k,
    accumulate: Number(accumulate),
    a: a.base * FLOAT,
    aBatch: a.batch * FLOAT,
    aRow: a.row * FLOAT,
    aK: a.column * FLOAT,
    b: b.base * FLOAT,
    bBatch: b.batch * FLOAT,
    bColumn: b.column * FLOAT,
    bK: b.row * FLOAT,
    c: c.base * FLOAT,
    cBatch: c.batch * FLOAT,
    cRow: c.row * FLOAT,
    cColumn: c.column * FLOAT,
    cLine: line ?? columns,
    cGap: (gap ?? 0) * FLOAT,
    bias: (bias?.base ?? 0) * FLOAT,
    biasBatch: (bias?.batch ?? 0) * FLOAT,
    biasRow: (bias?.row ?? 0) * FLOAT,
    biasColumn: (bias?.column ?? 0) * FLOAT,
  };
  return { batch, parameters };
}

/** The product as a problem whose columns, which the lanes run along, are those of C that fill them best. */
function problemOf({ out, a, b, bias, accumulate = false }: Product<View3>): Problem {
  const [batch, rows, columns] = out.extents;
  const k = a.extents[2];
  invariant(
    a.extents[1] === rows && b.extents[2] === columns && b.extents[1] === k,
    () => `multiply: [${a.extents}] · [${b.extents}] does not make [${out.extents}]`,
  );
  invariant(
    [a, b].every(({ extents }) => extents[0] === batch || extents[0] === 1),
    () => `multiply: batches of ${a.extents[0]} and ${b.extents[0]} do not make one of ${batch}`,
  );
  invariant(
    !bias || bias.strides[1] === 0 || bias.strides[2] === 0,
    () => 'multiply: a bias changes along rows and along columns',
  );
  const problem: Problem = {
    ...{ batch, rows, columns, k, accumulate },
    ...{ a: operand(a), b: operand(b), c: operand(out), bias: bias && operand(bias) },
  };
  const [, down, across] = out.strides;
  const turn = columns < TILE.columns ? rows > columns : across !== 1 && down === 1;
  return foldColumns(foldRows(turn ? transposed(problem) : problem));
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
 * if they are at least as long as a tile.
 */
function foldColumns(problem: Problem): Problem {
  const { batch, columns, a, b, c, bias } = problem;
  if (batch === 1 || a.batch !== 0) return problem;
  const inLine = continues(c, c.column, columns);
  if (!inLine && columns < TILE.columns) return problem;
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
