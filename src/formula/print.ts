import { type Formula, type FormulaOp, INFIX, SCALAR, type Sign } from './formula.ts';

/** The one text of a formula: `sigmoid(a + b) * c`. Operands are letters; `parseFormula` reads it back. */
export const printFormula = (formula: Formula): string => textOf(formula).text;

/** How tightly a text holds together, after sums and products: with a sign before it, or anywhere. */
const [SIGNED, ATOM] = [3, 4];

interface Text {
  readonly text: string;
  readonly precedence: number;
}

function textOf(formula: Formula): Text {
  if (formula.kind === 'operand') return { text: String.fromCharCode(97 + formula.index), precedence: ATOM };
  return infixText(formula) ?? callText(formula);
}

const inside = (formula: Formula, least: number): string => {
  const { text, precedence } = textOf(formula);
  return precedence < least ? `(${text})` : text;
};

function infixText({ op, operands, attrs }: FormulaOp): Text | undefined {
  const [first, second] = operands as [Formula, Formula];
  if (op === 'neg') return { text: `-${inside(first, ATOM)}`, precedence: SIGNED };
  const value = attrs.value as number;
  if (op === 'addScalar' && isNegative(value))
    return { text: `${inside(first, 1)} - ${-value}`, precedence: 1 };
  for (const sign of Object.keys(INFIX) as Sign[]) {
    const { precedence, ...rule } = INFIX[sign];
    const [left, right] = [precedence, precedence + 1];
    if (op === rule.op)
      return { text: `${inside(first, left)} ${sign} ${inside(second, right)}`, precedence };
    if (op === rule.right) return { text: `${inside(first, left)} ${sign} ${numberText(value)}`, precedence };
    if ('left' in rule && op === rule.left)
      return { text: `${numberText(value)} ${sign} ${inside(first, right)}`, precedence };
  }
  return undefined;
}

function callText({ op, operands, attrs }: FormulaOp): Text {
  const isScalar = op.endsWith(SCALAR);
  const name = isScalar ? op.slice(0, -SCALAR.length) : op;
  const args = [
    ...operands.map((operand) => inside(operand, 0)),
    ...Object.entries(attrs).map(([key, value]) => {
      const text = typeof value === 'number' ? numberText(value) : String(value);
      return isScalar ? text : `${key}: ${text}`;
    }),
  ];
  return { text: `${name}(${args.join(', ')})`, precedence: ATOM };
}

const isNegative = (value: number): boolean => value < 0 || Object.is(value, -0);
const numberText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
