import type { Ast } from 'gpu.js/src/backend/function-node.js';
import { childrenOf, isAst } from './ast.ts';

/** Original name → name in the result, innermost scope first. */
interface Scope {
  readonly names: Map<string, string>;
  readonly outer: Scope | undefined;
}

/**
 * Renames the variables of a kernel so that no two have one name. gpu.js types an identifier by its name alone, so a
 * variable that shadows an argument or another variable (minifiers make such) would be mistaken for it. Changes `root`,
 * a function expression, in place.
 */
export function makeNamesUnique(root: Ast): void {
  const taken = new Set<string>();
  const everyName = new Set<string>();
  const collect = (node: Ast): void => {
    if (node.type === 'Identifier') everyName.add(node.name as string);
    childrenOf(node).forEach(collect);
  };
  collect(root);

  const declare = (scope: Scope, name: string): void => {
    if (scope.names.has(name)) return;
    let unique = name;
    for (let i = 2; taken.has(unique) || (unique !== name && everyName.has(unique)); i++)
      unique = `${name}${i}`;
    taken.add(unique);
    scope.names.set(name, unique);
  };
  const declareAll = (scope: Scope, statements: readonly Ast[], kinds: readonly unknown[]): void => {
    for (const statement of statements) {
      if (statement.type !== 'VariableDeclaration' || !kinds.includes(statement.kind)) continue;
      for (const declarator of statement.declarations as Ast[]) {
        declare(scope, (declarator.id as Ast).name as string);
      }
    }
  };
  /** `var` belongs to the function, wherever it stands. */
  const declareVars = (scope: Scope, node: Ast): void => {
    declareAll(scope, [node], ['var']);
    for (const child of childrenOf(node)) declareVars(scope, child);
  };
  const rename = (node: Ast, scope: Scope): void => {
    if (node.type === 'Identifier') {
      for (let s: Scope | undefined = scope; s; s = s.outer) {
        const unique = s.names.get(node.name as string);
        if (unique !== undefined) {
          (node as { name?: unknown }).name = unique;
          return;
        }
      }
      return;
    }
    if (node.type === 'MemberExpression' && node.computed !== true) {
      rename(node.object as Ast, scope);
      return;
    }
    const inner = scopeOf(node, scope);
    for (const child of childrenOf(node)) rename(child, inner);
  };
  const scopeOf = (node: Ast, outer: Scope): Scope => {
    const scope: Scope = { names: new Map(), outer };
    if (node.type === 'BlockStatement') declareAll(scope, node.body as Ast[], ['let', 'const']);
    else if (node.type === 'ForStatement' && isAst(node.init))
      declareAll(scope, [node.init], ['let', 'const']);
    else return outer;
    return scope;
  };

  const top: Scope = { names: new Map(), outer: undefined };
  for (const parameter of root.params as Ast[]) declare(top, parameter.name as string);
  declareVars(top, root.body as Ast);
  rename(root.body as Ast, top);
}
