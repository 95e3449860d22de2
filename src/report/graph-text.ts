import { printShape } from '../ir/dims.ts';
import { loopSizes } from '../ir/loop.ts';
import { type AttrValue, type Graph, isTextAttr, type LoopNode, type Node, type OpNode } from '../ir/node.ts';
import { formatTable } from './format.ts';

/** One line about a value for {@link graphText}, e.g. where its axes come from. */
export type Annotate = (node: OpNode) => string | undefined;

/**
 * A graph for people: nodes under the author's scopes, with shapes (named and, where bound, in numbers), attributes,
 * source locations and, where `annotate` says something, one more column.
 */
export function graphText(graph: Graph, annotate: Annotate = () => undefined): string {
  const lines: string[] = [];
  for (const input of graph.inputs) {
    const below = input.below === undefined ? '' : `   ids below ${input.below}`;
    const donated = input.donated ? '   donated' : '';
    lines.push(`input  ${input.id}  ${input.dtype}${printShape(input.shape)}${below}${donated}`);
  }
  lines.push(...section(graph.nodes, annotate, 0));
  for (const output of graph.outputs) lines.push(`output ${output.name} = ${output.value}`);
  return lines.join('\n');
}

function section(nodes: readonly Node[], annotate: Annotate, depth: number): string[] {
  const lines: string[] = [];
  let scope: string | undefined;
  let rows: string[][] = [];
  const indent = '  '.repeat(depth);
  const flush = (): void => {
    for (const line of formatTable(rows)) lines.push(`${indent}  ${line}`);
    rows = [];
  };
  for (const node of nodes) {
    if (node.scope !== scope) {
      flush();
      scope = node.scope;
      lines.push(`${indent}${scope === '' ? '(top)' : scope}`);
    }
    if (node.kind === 'op') {
      rows.push(row(node, annotate(node)));
    } else {
      flush();
      lines.push(`${indent}  ${loopTitle(node)}`, ...section(node.body.nodes, annotate, depth + 2));
    }
  }
  flush();
  return lines;
}

function loopTitle(loop: LoopNode): string {
  const { extent, chunkSize, chunks } = loopSizes(loop);
  return `loop ${loop.id} over ${loop.over}: ${extent} = ${chunks} × ${chunkSize}`;
}

function row(node: OpNode, note: string | undefined): string[] {
  const named = node.symbolic ?? node.shape;
  const numbers =
    node.symbolic && node.symbolic.join() !== node.shape.join() ? ` = ${printShape(node.shape)}` : '';
  const attrs = Object.entries(node.attrs).map(([name, value]) => `${name}: ${attrText(value)}`);
  const call = `${node.op}(${[...node.operands, ...attrs].join(', ')})`;
  const at = node.at ? `${node.at.file}:${node.at.line}` : '';
  return [node.id, `${node.dtype}${printShape(named)}${numbers}`, call, at, note ?? ''];
}

/** Long lists (the values of a constant) are cut. */
function attrText(value: AttrValue): string {
  if (isTextAttr(value)) return `'${value.text}'`;
  if (typeof value !== 'object') return String(value);
  return value.length <= 8
    ? `[${value.join(', ')}]`
    : `[${value.slice(0, 6).join(', ')}, … ${value.length} values]`;
}
