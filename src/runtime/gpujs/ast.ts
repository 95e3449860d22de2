import type { Ast } from 'gpu.js/src/backend/function-node.js';

/* Walking the syntax trees that gpu.js parses kernels into. */

export const isAst = (value: unknown): value is Ast =>
  typeof value === 'object' && value !== null && typeof (value as Ast).type === 'string';

export const childrenOf = (node: Ast): Ast[] =>
  Object.values(node).flatMap((value) =>
    Array.isArray(value) ? value.filter(isAst) : isAst(value) ? [value] : [],
  );

/** A part that the type of the node promises. */
export const partOf = (node: Ast, name: string): Ast => node[name] as Ast;

/** Whether a node or anything below it passes a test. */
export const someNode = (node: Ast, test: (node: Ast) => boolean): boolean =>
  test(node) || childrenOf(node).some((child) => someNode(child, test));

/** Sees a node and everything below it. */
export function visitNodes(node: Ast, see: (node: Ast) => void): void {
  see(node);
  for (const child of childrenOf(node)) visitNodes(child, see);
}
