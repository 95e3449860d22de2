import { InternalError } from '../errors.ts';
import type { Graph } from './node.ts';
import { printGraph, printNode } from './print.ts';

/** A graph that breaks the rules of the IR: a defect of the pass that made it. */
export class VerifyError extends InternalError {
  override readonly name = 'VerifyError';
}

export function fail(message: string, context: string): never {
  throw new VerifyError(`autochunk internal error (please report): ${message}\n${context}`);
}

const NEIGHBOURS = 3;

/** The node at `index` marked, with a few neighbours. */
export function around(graph: Graph, index: number): string {
  const lines: string[] = [`in graph ${JSON.stringify(graph.name)}:`];
  const first = Math.max(0, index - NEIGHBOURS);
  if (first > 0) lines.push('    …');
  graph.nodes.slice(first, index + 2).forEach((node, i) => {
    const mark = first + i === index ? '  > ' : '    ';
    for (const line of printNode(node).split('\n')) lines.push(mark + line);
  });
  if (index + 2 < graph.nodes.length) lines.push('    …');
  return lines.join('\n');
}

export const header = (graph: Graph): string => excerpt(graph, 0, 8);
export const footer = (graph: Graph): string => excerpt(graph, -8, undefined);

function excerpt(graph: Graph, start: number, stop: number | undefined): string {
  return printGraph(graph)
    .trimEnd()
    .split('\n')
    .slice(start, stop)
    .map((line) => `    ${line}`)
    .join('\n');
}
