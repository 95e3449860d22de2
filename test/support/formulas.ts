import fc from 'fast-check';
import { type Formula, MOST_OPERANDS } from '../../src/formula/formula.ts';

const UNARY = 'neg abs relu sqrt exp log sin cos tanh erf sigmoid silu reciprocal rsqrt gelu copy'.split(' ');
const BINARY = 'add sub mul div pow expSub maximum minimum equal less lessEqual greater greaterEqual'.split(
  ' ',
);
const SCALAR = (
  'addScalar mulScalar divScalar powScalar maximumScalar minimumScalar rsubScalar rdivScalar equalScalar ' +
  'lessScalar lessEqualScalar greaterScalar greaterEqualScalar'
).split(' ');

const value = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 0.5, 2, -3, 1e-7, 1e21),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 }),
);

const op = (
  name: string,
  operands: readonly Formula[],
  attrs: Readonly<Record<string, number | boolean>> = {},
): Formula => ({ kind: 'op', op: name, operands, attrs });

/** Formulas of up to a few ops; operands in order of first use, as the compiler writes them. */
export const formulas: fc.Arbitrary<Formula> = fc
  .letrec<{ formula: Formula; operand: Formula }>((tie) => ({
    operand: fc.nat(MOST_OPERANDS - 1).map((index): Formula => ({ kind: 'operand', index })),
    formula: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      tie('operand'),
      fc.tuple(fc.constantFrom(...UNARY), tie('formula')).map(([name, a]) => op(name, [a])),
      fc
        .tuple(fc.constantFrom(...BINARY), tie('formula'), tie('formula'))
        .map(([name, a, b]) => op(name, [a, b])),
      fc
        .tuple(fc.constantFrom(...SCALAR), tie('formula'), value)
        .map(([name, a, c]) => op(name, [a], { value: c })),
      fc
        .tuple(tie('formula'), value, value)
        .map(([a, x, y]) => op('clamp', [a], { min: Math.min(x, y), max: Math.max(x, y) })),
      fc.tuple(tie('formula'), value).map(([a, slope]) => op('leakyRelu', [a], { slope })),
      tie('formula').map((a) => op('gelu', [a], { tanh: true })),
      fc.tuple(tie('formula'), tie('formula'), tie('formula')).map((three) => op('where', three)),
    ),
  }))
  .formula.filter(({ kind }) => kind === 'op')
  .map(inOrder);

/** The same with its operands numbered in the order in which they come. */
function inOrder(formula: Formula): Formula {
  const order = new Map<number, number>();
  const visit = (part: Formula): Formula => {
    if (part.kind === 'op') return { ...part, operands: part.operands.map(visit) };
    if (!order.has(part.index)) order.set(part.index, order.size);
    return { kind: 'operand', index: order.get(part.index) as number };
  };
  return visit(formula);
}
