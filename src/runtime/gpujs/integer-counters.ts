import type { Ast } from 'gpu.js/src/backend/function-node.js';
import { isAst, visitNodes } from './ast.ts';

/**
 * The loop counters of a kernel with unique names that only ever hold integers, with the values they start at: they
 * change by `++` and `--` alone.
 */
export function integerCounters(root: Ast): Map<string, number> {
  const counters = new Map<string, number>();
  const assigned = new Set<string>();
  visitNodes(root, (node) => {
    if (node.type === 'AssignmentExpression') assigned.add((node.left as Ast).name as string);
    if (node.type !== 'ForStatement' || !isAst(node.init) || node.init.type !== 'VariableDeclaration') return;
    for (const { id, init } of node.init.declarations as unknown as { id: Ast; init: unknown }[]) {
      if (isAst(init) && init.type === 'Literal' && Number.isInteger(init.value)) {
        counters.set(id.name as string, init.value as number);
      }
    }
  });
  for (const name of assigned) counters.delete(name);
  return counters;
}
