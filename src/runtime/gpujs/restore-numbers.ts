import type { Ast } from 'gpu.js/src/backend/function-node.js';
import { isAst } from './ast.ts';

const COMPARISONS = new Set(['<', '<=', '>', '>=', '==', '===', '!=', '!==']);

const isCondition = (node: Ast): boolean =>
  (node.type === 'BinaryExpression' && COMPARISONS.has(node.operator as string)) ||
  (node.type === 'LogicalExpression' && isCondition(node.left as Ast) && isCondition(node.right as Ast)) ||
  (node.type === 'UnaryExpression' && node.operator === '!');

/**
 * Turns `+(x < y)`, as minifiers write it, back into `x < y ? 1 : 0`: shader languages do not convert conditions to
 * numbers. Changes `root` in place.
 */
export function restoreNumbers(root: Ast): void {
  for (const [key, value] of Object.entries(root)) {
    for (const node of Array.isArray(value) ? value : [value]) if (isAst(node)) restoreNumbers(node);
    if (Array.isArray(value)) (root as Record<string, unknown>)[key] = value.map(restored);
    else (root as Record<string, unknown>)[key] = restored(value);
  }
}

function restored(node: unknown): unknown {
  if (!isAst(node) || node.type !== 'UnaryExpression' || node.operator !== '+') return node;
  const test = node.argument as Ast;
  if (!isCondition(test)) return node;
  const { start, end, loc } = node;
  const literal = (value: number): Ast => ({ type: 'Literal', value, raw: String(value), start, end, loc });
  return {
    type: 'ConditionalExpression',
    test,
    consequent: literal(1),
    alternate: literal(0),
    start,
    end,
    loc,
  };
}
