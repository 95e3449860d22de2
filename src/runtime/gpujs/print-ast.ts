import type { Ast } from 'gpu.js/src/backend/function-node.js';
import { InternalError } from '../../errors.ts';
import { partOf } from './ast.ts';

/** Another text for a node than its own, where there is one. */
type Replace = (node: Ast) => string | undefined;

/** JavaScript for a statement or an expression of a kernel, every operation in parentheses. */
export function printAst(node: Ast, replace: Replace): string {
  const print = (part: Ast): string => printAst(part, replace);
  const at = (name: string): string => print(partOf(node, name));
  const replaced = replace(node);
  if (replaced !== undefined) return replaced;
  switch (node.type) {
    case 'BlockStatement':
      return `{\n${(node.body as Ast[]).map(print).join('\n')}\n}`;
    case 'EmptyStatement':
      return ';';
    case 'VariableDeclaration':
      return `${declarationText(node, replace)};`;
    case 'ExpressionStatement':
      return `${at('expression')};`;
    case 'ReturnStatement':
      return `return ${at('argument')};`;
    case 'ForStatement': {
      const init = partOf(node, 'init');
      const start = init.type === 'VariableDeclaration' ? declarationText(init, replace) : print(init);
      return `for (${start}; ${at('test')}; ${at('update')}) ${at('body')}`;
    }
    case 'IfStatement':
      return `if (${at('test')}) ${at('consequent')}${node.alternate ? ` else ${at('alternate')}` : ''}`;
    case 'Identifier':
      return node.name as string;
    case 'Literal':
      return node.raw as string;
    case 'ThisExpression':
      return 'this';
    case 'UnaryExpression':
      return `(${node.operator}${at('argument')})`;
    case 'UpdateExpression':
      return node.prefix ? `${node.operator}${at('argument')}` : `${at('argument')}${node.operator}`;
    case 'BinaryExpression':
    case 'LogicalExpression':
      return `(${at('left')} ${node.operator} ${at('right')})`;
    case 'AssignmentExpression':
      return `${at('left')} ${node.operator} ${at('right')}`;
    case 'ConditionalExpression':
      return `(${at('test')} ? ${at('consequent')} : ${at('alternate')})`;
    case 'CallExpression':
      return `${at('callee')}(${(node.arguments as Ast[]).map(print).join(', ')})`;
    case 'MemberExpression':
      return node.computed === true
        ? `${at('object')}[${at('property')}]`
        : `${at('object')}.${memberName(node)}`;
    default:
      throw new InternalError(`a kernel has a ${node.type}`);
  }
}

const memberName = (node: Ast): string => partOf(node, 'property').name as string;

function declarationText(node: Ast, replace: Replace): string {
  const declarators = (node.declarations as Ast[]).map((declarator) => {
    const init = declarator.init ? ` = ${printAst(partOf(declarator, 'init'), replace)}` : '';
    return printAst(partOf(declarator, 'id'), replace) + init;
  });
  return `${node.kind} ${declarators.join(', ')}`;
}
