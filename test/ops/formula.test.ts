import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFormula } from '../../src/formula/parse.ts';
import { printFormula } from '../../src/formula/print.ts';
import { opDef } from '../../src/ir/ops/index.ts';
import { k } from '../../src/runtime/index.ts';
import { formulas } from '../support/formulas.ts';

describe('formulas', () => {
  it('print as text that parses back to them', () => {
    fc.assert(
      fc.property(formulas, (formula) => {
        expect(parseFormula(printFormula(formula))).toEqual(formula);
      }),
    );
  });

  it.each([
    'a + b + c',
    'a + (b + c)',
    'a - (b - c)',
    'a * b / c',
    'a / (b * c)',
    '(a + b) * c',
    '-a * -b',
    '-(-a)',
    '-(a + b)',
    'a - 1',
    'a + 0',
    'a * -2',
    '-2 - a',
    '1 / (a + 1e-7)',
    'pow(a, 2) + pow(b, c)',
    'clamp(a, min: -1, max: 6e+21)',
    'gelu(a, tanh: true)',
  ])('%s is written the way it is read', (text) => {
    expect(printFormula(parseFormula(text))).toBe(text);
  });

  it('are nothing but formulas of our elementwise ops', () => {
    const deep = '('.repeat(2000);
    const texts = [
      '',
      'a',
      '3',
      'a +',
      'a b',
      'h + a',
      'ab',
      '2 * a',
      '1 + 2 - a',
      'a + (3)',
      'a; process.exit()',
      "constructor('x')",
      '__proto__(a)',
      'eval(a)',
      'softmax(a, axis: 0)',
      'sigmoid(a, b)',
      'clamp(a, min: 1)',
      'clamp(a, min: 1, min: 2)',
      'pow(2, a)',
      'maximum(a, 1, 2)',
      'gelu(a, tanh: yes)',
      'a[0]',
      '`a`',
      deep,
    ];
    const refused = texts.map((text) => {
      try {
        k.formula(text);
        return 'accepted';
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message}`;
      }
    });
    expect(refused.join('\n')).toMatchInlineSnapshot(`
      "UserError: formula "": expected an operand, a number or an op, got the end
      UserError: fused: expected a formula of at least one op
      UserError: formula "3": expected an operand, got a number alone
      UserError: formula "a +": expected an operand, a number or an op, got the end
      UserError: formula "a b": expected an operator or the end, got \`b\`
      UserError: formula "h + a": expected an operand from a to g, got \`h\`
      UserError: formula "ab": expected an operand from a to g, got \`ab\`
      UserError: formula "2 * a": expected the number second, got a number before *
      UserError: formula "1 + 2 - a": expected an operand, got numbers on both sides of +
      UserError: formula "a + (3)": expected an operand, got a number in parentheses
      UserError: formula "a; process.exit()": expected a formula, got \`;\`
      UserError: formula "constructor('x')": expected a formula, got \`'\`
      UserError: formula "__proto__(a)": expected a formula, got \`_\`
      UserError: fused: eval is no op that can be a part of a formula
      UserError: fused: softmax is no op that can be a part of a formula
      UserError: fused: sigmoid takes 1 operand, got 2
      UserError: fused: clamp lacks a number, got {"min":1}
      UserError: formula "clamp(a, min: 1, min: 2)": expected every attribute once, got \`min\` again
      UserError: formula "pow(2, a)": expected operands before numbers, got an argument after one
      UserError: formula "maximum(a, 1, 2)": expected operands before numbers, got an argument after one
      UserError: formula "gelu(a, tanh: yes)": expected a number, true or false, got \`yes\`
      UserError: formula "a[0]": expected a formula, got \`[\`
      UserError: formula "\`a\`": expected a formula, got \`\`\`
      UserError: formula "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((…": expected at most 1000 characters, got 2000"
    `);
  });

  it('are checked by the op', () => {
    const f32 = (...shape: number[]) => ({ shape, dtype: 'f32' as const });
    const refusal = (text: string, operands: readonly ReturnType<typeof f32>[]): string => {
      try {
        const { shape } = opDef('fused').infer(operands, { formula: { text } });
        return `[${shape}]`;
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message}`;
      }
    };
    expect(
      [
        refusal('silu(a) * b', [f32(3, 5), f32(5)]),
        refusal('silu(a) * b', [f32(3, 5)]),
        refusal('silu(a) * b', [f32(3, 5), f32(4)]),
        refusal('silu( a)*b', [f32(3, 5), f32(5)]),
        refusal('softmax(a)', [f32(3, 5)]),
        refusal('a', [f32(3, 5)]),
        refusal('a +', [f32(3, 5)]),
      ].join('\n'),
    ).toMatchInlineSnapshot(`
      "[3,5]
      ShapeError: fused: silu(a) * b has 2 operands, got 1
      ShapeError: mul: cannot broadcast [3, 5] with [4]
      ShapeError: fused: expected the formula as silu(a) * b, got silu( a)*b
      ShapeError: fused: softmax is no op that can be a part of a formula
      ShapeError: fused: expected a formula of at least one op
      ShapeError: fused: formula "a +": expected an operand, a number or an op, got the end"
    `);
  });
});
