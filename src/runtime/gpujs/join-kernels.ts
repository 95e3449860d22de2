import type { Ast } from 'gpu.js/src/backend/function-node.js';
import { invariant } from '../../errors.ts';
import type { Kernel } from '../kernel.ts';
import { partOf, visitNodes } from './ast.ts';
import { isOwnElement } from './own-element.ts';
import { parsedKernel } from './parsed.ts';
import { printAst } from './print-ast.ts';

/** One of the kernels to be joined: elementwise, with names for what its arguments are in the whole. */
export interface KernelPart {
  readonly kernel: Kernel;
  /** An array of the whole by its position, or the result of a part before. */
  readonly arrays: readonly ({ readonly array: number } | { readonly part: number })[];
}

const arrayName = (i: number): string => `array_${i}`;
const elementName = (i: number): string => `element_${i}`;
const resultName = (i: number): string => `result_${i}`;

/**
 * The source of one kernel that does what several elementwise kernels do one after another; its scalars are theirs in
 * order. Every result is rounded to float32 where it would have been stored, so that the last has the same bits.
 */
export function joinKernels(arrays: number, parts: readonly KernelPart[]): string {
  const scalars: string[] = [];
  const lines = Array.from(
    { length: arrays },
    (_, i) => `const ${elementName(i)} = ${arrayName(i)}[this.thread.z][this.thread.y][this.thread.x];`,
  );
  parts.forEach((part, i) => {
    const own = part.kernel.scalars.map((_, j) => `scalar_${scalars.length + j}`);
    scalars.push(...own);
    lines.push(...linesOf(part, i, own, i === parts.length - 1));
  });
  const parameters = [...Array.from({ length: arrays }, (_, i) => arrayName(i)), ...scalars];
  return `function (${parameters.join(', ')}) {\n${lines.join('\n')}\n}`;
}

function linesOf(
  { kernel, arrays }: KernelPart,
  position: number,
  scalars: readonly string[],
  isLast: boolean,
): string[] {
  const root = parsedKernel(kernel);
  const parameters = (root.params as Ast[]).map(({ name }) => name as string);
  const elements = new Map(
    arrays.map((from, i) => [
      parameters[i],
      'part' in from ? resultName(from.part) : elementName(from.array),
    ]),
  );
  const names = new Map(scalars.map((name, i) => [parameters[arrays.length + i] as string, name]));
  const body = partOf(root, 'body');
  visitNodes(body, (node) => {
    if (node.type !== 'VariableDeclarator') return;
    const name = partOf(node, 'id').name as string;
    names.set(name, `part_${position}_${name}`);
  });
  const replace = (node: Ast): string | undefined => {
    if (node.type === 'Identifier') return names.get(node.name as string);
    if (!isOwnElement(node)) return undefined;
    let array = node;
    while (array.type === 'MemberExpression') array = partOf(array, 'object');
    return elements.get(array.name as string);
  };
  const statements = body.body as Ast[];
  const last = statements.at(-1);
  invariant(last?.type === 'ReturnStatement', () => `kernel ${kernel.name} does not end in its result`);
  const value = printAst(partOf(last, 'argument'), replace);
  return [
    ...statements.slice(0, -1).map((statement) => printAst(statement, replace)),
    isLast ? `return ${value};` : `const ${resultName(position)} = Math.fround(${value});`,
  ];
}
