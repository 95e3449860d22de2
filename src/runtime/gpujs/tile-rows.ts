import type { Ast } from 'gpu.js/src/backend/function-node.js';
import { childrenOf, isAst, partOf, someNode, visitNodes } from './ast.ts';

/*
 * A kernel that sums over a loop reads some elements that its neighbours in y need too: in a matrix product, a column of
 * the right factor. A thread that computes several rows reads them once. Every row keeps its own variables and its own
 * order of operations, so its elements keep their bits.
 */

const statements = (node: Ast): Ast[] => (node.type === 'BlockStatement' ? (node.body as Ast[]) : [node]);
const nameOf = (node: Ast): string => node.name as string;

/** `this.thread.y` */
const isRow = (node: Ast): boolean =>
  node.type === 'MemberExpression' &&
  node.computed !== true &&
  partOf(node, 'property').name === 'y' &&
  partOf(node, 'object').type === 'MemberExpression' &&
  partOf(partOf(node, 'object'), 'property').name === 'thread';

/** `a[…][…][…]` */
const isRead = (node: Ast): boolean => node.type === 'MemberExpression' && node.computed === true;
const changesVariables = (node: Ast): boolean =>
  node.type === 'AssignmentExpression' || node.type === 'UpdateExpression';

/** What a straight statement stores: names and values. */
function stored(statement: Ast): { name: string; value: Ast; updates: boolean }[] {
  if (statement.type === 'VariableDeclaration') {
    return (statement.declarations as Ast[]).map((declarator) => ({
      name: nameOf(partOf(declarator, 'id')),
      value: partOf(declarator, 'init'),
      updates: false,
    }));
  }
  const assignment = partOf(statement, 'expression');
  return [
    {
      name: nameOf(partOf(assignment, 'left')),
      value: partOf(assignment, 'right'),
      updates: assignment.operator !== '=',
    },
  ];
}

/** Straight statements and counted loops, then one return. */
function isStraight(body: readonly Ast[], parameters: ReadonlySet<string>): boolean {
  const plain = (expression: Ast | null | undefined): boolean =>
    isAst(expression) && !someNode(expression, changesVariables);
  const straight = (statement: Ast): boolean => {
    switch (statement.type) {
      case 'VariableDeclaration':
        return stored(statement).every(({ value }) => plain(value));
      case 'ExpressionStatement': {
        const assignment = partOf(statement, 'expression');
        return (
          assignment.type === 'AssignmentExpression' &&
          partOf(assignment, 'left').type === 'Identifier' &&
          !parameters.has(nameOf(partOf(assignment, 'left'))) &&
          plain(partOf(assignment, 'right'))
        );
      }
      case 'ForStatement':
        return (
          isAst(statement.init) &&
          statement.init.type === 'VariableDeclaration' &&
          straight(statement.init) &&
          isAst(statement.test) &&
          isAst(statement.update) &&
          statement.update.type === 'UpdateExpression' &&
          statements(partOf(statement, 'body')).every(straight)
        );
      default:
        return false;
    }
  };
  const last = body.at(-1);
  return (
    last?.type === 'ReturnStatement' && plain(partOf(last, 'argument')) && body.slice(0, -1).every(straight)
  );
}

/** The variables whose value depends on `this.thread.y`. */
function rowVariables(body: readonly Ast[]): Set<string> {
  const found = new Set<string>();
  const visit = (statement: Ast): void => {
    if (statement.type === 'ReturnStatement') return;
    if (statement.type === 'ForStatement') {
      visit(partOf(statement, 'init'));
      statements(partOf(statement, 'body')).forEach(visit);
      return;
    }
    for (const { name, value } of stored(statement)) if (dependsOnRow(value, found)) found.add(name);
  };
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    body.forEach(visit);
  }
  return found;
}

const dependsOnRow = (node: Ast, variables: ReadonlySet<string>): boolean =>
  someNode(node, (part) => isRow(part) || (part.type === 'Identifier' && variables.has(nameOf(part))));

/** The reads of an expression that all rows share, but for those that a condition guards. */
function sharedReads(node: Ast, variables: ReadonlySet<string>): Ast[] {
  if (node.type === 'ConditionalExpression' || node.type === 'LogicalExpression') return [];
  if (!isRead(node)) return childrenOf(node).flatMap((child) => sharedReads(child, variables));
  if (!dependsOnRow(node, variables)) return [node];
  return subscripts(node).flatMap((subscript) => sharedReads(subscript, variables));
}

const subscripts = (read: Ast): Ast[] =>
  isRead(read) ? [...subscripts(partOf(read, 'object')), partOf(read, 'property')] : [];

/** Whether rows share reads inside a loop. */
function sharesInLoop(body: readonly Ast[], variables: ReadonlySet<string>): boolean {
  const shares = (statement: Ast, inLoop: boolean): boolean => {
    if (statement.type === 'ReturnStatement') return false;
    if (statement.type === 'ForStatement') {
      return statements(partOf(statement, 'body')).some((inner) => shares(inner, true));
    }
    return (
      inLoop &&
      stored(statement).some(
        ({ name, value }) => variables.has(name) && sharedReads(value, variables).length > 0,
      )
    );
  };
  return body.some((statement) => shares(statement, false));
}

/** Whether {@link tileRows} can rewrite a kernel, a function expression with unique names, and would save reads. */
export function canTileRows(root: Ast): boolean {
  const body = partOf(root, 'body').body as Ast[];
  if (!isStraight(body, new Set((root.params as Ast[]).map(nameOf)))) return false;
  const variables = rowVariables(body);
  const counted = (statement: Ast): boolean =>
    statement.type !== 'ForStatement' ||
    (!dependsOnRow(partOf(statement, 'init'), variables) &&
      !dependsOnRow(partOf(statement, 'test'), variables) &&
      statements(partOf(statement, 'body')).every(counted));
  return body.every(counted) && sharesInLoop(body, variables);
}

/**
 * Rewrites a kernel in place to compute the rows `this.thread.y`, `this.thread.y + 1`, … and to return an array of them.
 * Only for kernels of which {@link canTileRows} is true.
 */
export function tileRows(root: Ast, rows: number): void {
  const block = partOf(root, 'body') as { body: Ast[] } & Ast;
  const variables = rowVariables(block.body);
  const taken = new Set<string>();
  visitNodes(root, (node) => {
    if (node.type === 'Identifier') taken.add(nameOf(node));
  });
  const fresh = (wanted: string): string => {
    let name = wanted;
    while (taken.has(name)) name += '_';
    taken.add(name);
    return name;
  };
  const copies = new Map(
    [...variables].map((name) => [name, Array.from({ length: rows }, (_, row) => fresh(`${name}_${row}`))]),
  );
  let position = -1;
  // gpu.js tells literals apart by their position in the source.
  const make = (type: string, fields: Record<string, unknown>): Ast => {
    position -= 2;
    return { type, start: position, end: position + 1, loc: root.loc, ...fields };
  };
  const identifier = (name: string): Ast => make('Identifier', { name });
  const declaration = (kind: unknown, name: string, init: Ast): Ast =>
    make('VariableDeclaration', {
      kind,
      declarations: [make('VariableDeclarator', { id: identifier(name), init })],
    });

  /** The expression as row `row` computes it. */
  const inRow = (node: Ast, row: number, shared: ReadonlyMap<Ast, string>): Ast => {
    const read = shared.get(node);
    if (read !== undefined) return identifier(read);
    if (isRow(node)) {
      const literal = make('Literal', { value: row, raw: String(row) });
      return row === 0 ? node : make('BinaryExpression', { operator: '+', left: node, right: literal });
    }
    if (node.type === 'Identifier') {
      const copy = copies.get(nameOf(node))?.[row];
      return copy === undefined ? node : { ...node, name: copy };
    }
    const copied = (value: unknown): unknown => (isAst(value) ? inRow(value, row, shared) : value);
    return Object.fromEntries(
      Object.entries(node).map(([key, value]) => [
        key,
        Array.isArray(value) ? value.map(copied) : copied(value),
      ]),
    ) as Ast;
  };
  /** One statement for every row, after the reads that they share. */
  const perRow = (value: Ast, statement: (inRow: (node: Ast, row: number) => Ast) => Ast[]): Ast[] => {
    const shared = new Map(sharedReads(value, variables).map((read) => [read, fresh('shared')]));
    const reads = [...shared].map(([read, name]) => declaration('const', name, read));
    return [...reads, ...statement((node, row) => inRow(node, row, shared))];
  };
  const everyRow = (of: (row: number) => Ast): Ast[] => Array.from({ length: rows }, (_, row) => of(row));

  const tile = (statement: Ast): Ast[] => {
    switch (statement.type) {
      case 'ForStatement': {
        const body = make('BlockStatement', { body: statements(partOf(statement, 'body')).flatMap(tile) });
        return [{ ...statement, body }];
      }
      case 'ReturnStatement': {
        const value = partOf(statement, 'argument');
        return perRow(value, (copy) => [
          {
            ...statement,
            argument: make('ArrayExpression', { elements: everyRow((row) => copy(value, row)) }),
          },
        ]);
      }
      case 'VariableDeclaration':
        return (statement.declarations as Ast[]).flatMap((declarator) => {
          const name = nameOf(partOf(declarator, 'id'));
          const init = partOf(declarator, 'init');
          if (!variables.has(name)) return [{ ...statement, declarations: [declarator] }];
          return perRow(init, (copy) =>
            everyRow((row) =>
              declaration(statement.kind, (copies.get(name) as string[])[row] as string, copy(init, row)),
            ),
          );
        });
      default: {
        const assignment = partOf(statement, 'expression');
        if (!variables.has(nameOf(partOf(assignment, 'left')))) return [statement];
        return perRow(partOf(assignment, 'right'), (copy) =>
          everyRow((row) => ({ ...statement, expression: copy(assignment, row) })),
        );
      }
    }
  };
  block.body = block.body.flatMap(tile);
}
