import { canonicalDim, type Dim, type Shape } from './dims.ts';
import {
  type Attrs,
  type AttrValue,
  type FusedPart,
  type Graph,
  type Hints,
  isTextAttr,
  type LoopHalo,
  type LoopNode,
  type Node,
  type OpNode,
  type SourceLocation,
  type TensorType,
} from './node.ts';
import type { Program, Step, View } from './program.ts';

/**
 * Canonical text of a graph: everything in it, one node a line. `parseGraph` reads it back to an equal graph.
 *
 *     graph "attention" {
 *       dims N
 *       input x: f32[N, 64]
 *       param wq: f32[64, 64] key "attn.q.weight"
 *       q: f32[N, 64] = linear(x, wq) {transposed: true} in "attn" at "model.ts":12:9
 *       output "q" = q
 *     }
 */
export function printGraph(graph: Graph): string {
  return `${graphLines(graph, '').join('\n')}\n`;
}

/** One node as `printGraph` writes it; a loop takes several lines. */
export const printNode = (node: Node): string => nodeLines(node, '').join('\n');

/** A lowered program, one step a line: for people and snapshots. */
export function printProgram(program: Program): string {
  const lines = [`program ${quote(program.name)} {`];
  for (const input of program.inputs) lines.push(`  ${inputLine(input)}`);
  for (const param of program.params) lines.push(`  ${paramLine(param)}`);
  pushSteps(lines, program.steps, '  ');
  for (const output of program.outputs) lines.push(`  ${outputLine(output)}`);
  lines.push('}');
  return `${lines.join('\n')}\n`;
}

/** Element type and shape: `f32[8, N]`. */
export const printType = (type: TensorType): string => `${type.dtype}[${type.shape.map(dimText).join(', ')}]`;

function graphLines(graph: Graph, indent: string): string[] {
  const inner = `${indent}  `;
  const lines = [`${indent}graph ${quote(graph.name)} {`];
  if (graph.dims.length > 0) lines.push(`${inner}dims ${graph.dims.join(', ')}`);
  for (const input of graph.inputs) lines.push(inner + inputLine(input));
  for (const param of graph.params) lines.push(inner + paramLine(param));
  for (const node of graph.nodes) for (const line of nodeLines(node, inner)) lines.push(line);
  for (const output of graph.outputs) lines.push(inner + outputLine(output));
  lines.push(`${indent}}`);
  return lines;
}

const inputLine = (input: Graph['inputs'][number]): string =>
  `${input.donated ? 'donated ' : ''}input ${input.id}: ${printType(input)}${input.below === undefined ? '' : ` below ${numberText(input.below)}`}`;

const paramLine = (param: Graph['params'][number]): string =>
  `param ${param.id}: ${printType(param)} key ${quote(param.key)}`;

const outputLine = (output: Graph['outputs'][number]): string =>
  `output ${quote(output.name)} = ${output.value}`;

function nodeLines(node: Node, indent: string): string[] {
  return node.kind === 'op' ? [indent + opLine(node)] : loopLines(node, indent);
}

function opLine(node: OpNode): string {
  let line = `${node.id}: ${printType(node)} = ${node.op}(${node.operands.map((id, i) => id + partsText(node, i)).join(', ')})`;
  if (Object.keys(node.attrs).length > 0) line += ` ${attrsText(node.attrs)}`;
  if (node.scope !== '') line += ` in ${quote(node.scope)}`;
  if (node.at) line += ` at ${locationText(node.at)}`;
  if (node.symbolic) line += ` symbolic ${shapeText(node.symbolic)}`;
  if (node.hints) line += ` hints ${hintsText(node.hints)}`;
  if (node.parts) line += ` parts [${node.parts.map(partText).join(', ')}]`;
  return line;
}

const partText = ({ id, scope, at }: FusedPart): string =>
  id + (scope === '' ? '' : ` in ${quote(scope)}`) + (at ? ` at ${locationText(at)}` : '');

/** `[axis 2 start h0-h_from length h]` for every part of an operand that is read. */
const partsText = ({ reads = [] }: OpNode, operand: number): string =>
  reads
    .filter((part) => part.operand === operand)
    .map(({ axis, start, length }) => `[axis ${axis} start ${dimText(start)} length ${dimText(length)}]`)
    .join('');

const haloText = ({ halo }: { readonly halo?: string }): string =>
  halo === undefined ? '' : ` halo ${halo}`;

function loopLines(loop: LoopNode, indent: string): string[] {
  const inner = `${indent}  `;
  const head =
    `${indent}loop ${loop.id} over ${quote(loop.over)} extent ${dimText(loop.extent)} chunk ${dimText(loop.chunkSize)} ` +
    `start ${loop.start} length ${loop.length}${loop.scope === '' ? '' : ` in ${quote(loop.scope)}`} {`;
  return [
    head,
    ...loop.halos.map((halo) => inner + haloLine(halo)),
    ...loop.slices.map(
      (slice) =>
        `${inner}slice ${slice.as} = ${slice.operand} axis ${slice.axis} times ${slice.multiple}${haloText(slice)}`,
    ),
    ...(loop.whole.length > 0 ? [`${inner}whole ${loop.whole.join(', ')}`] : []),
    ...graphLines(loop.body, inner),
    ...loop.results.map(
      (result) =>
        `${inner}${result.id}: ${printType(result)} = ${result.kind} ${result.value} axis ${result.axis} times ${result.multiple}${haloText(result)}`,
    ),
    ...loop.carries.map(
      (carry) =>
        `${inner}carry ${carry.id}: ${printType(carry)} = ${carry.value} as ${carry.as} from ${numberText(carry.init)} ${carry.role} of ${carry.of}`,
    ),
    `${indent}}`,
  ];
}

const haloLine = ({ start, length, multiple, before, after, extent }: LoopHalo): string =>
  `halo ${start} length ${length} times ${multiple} before ${before} after ${after} of ${dimText(extent)}`;

function pushSteps(lines: string[], steps: readonly Step[], indent: string): void {
  for (const step of steps) {
    if (step.kind !== 'loop') {
      lines.push(indent + stepLine(step));
      continue;
    }
    const { loop } = step;
    lines.push(
      `${indent}loop ${loop.id} over ${quote(loop.over)} extent ${dimText(loop.extent)} chunk ${dimText(loop.chunkSize)} ` +
        `start ${loop.start} length ${loop.length} {`,
    );
    for (const halo of loop.halos) lines.push(`${indent}  ${haloLine(halo)}`);
    pushSteps(lines, step.steps, `${indent}  `);
    lines.push(`${indent}}`);
  }
}

function stepLine(step: Exclude<Step, { kind: 'loop' }>): string {
  switch (step.kind) {
    case 'alloc':
      return `alloc ${step.value}: ${printType(step)}${step.role === 'value' ? '' : ` as ${step.role}`}`;
    case 'view':
      return `view ${step.value} = ${step.of}${viewText(step.view)}`;
    case 'call': {
      const { node } = step;
      const attrs = Object.keys(node.attrs).length > 0 ? ` ${attrsText(node.attrs)}` : '';
      const scratch = step.scratch.length > 0 ? ` scratch ${step.scratch.join(', ')}` : '';
      return `${node.op}(${step.operands.join(', ')})${attrs} into ${step.into}${scratch}`;
    }
    case 'free':
      return `free ${step.value}`;
    default:
      return step satisfies never;
  }
}

function viewText(view: View): string {
  switch (view.kind) {
    case 'same':
      return '';
    case 'slice':
      return `.slice(${view.axis}, ${dimText(view.start)}, ${dimText(view.stop)})`;
    case 'permute':
      return `.permute(${shapeText(view.axes)})`;
    case 'reshape':
      return `.reshape(${shapeText(view.shape)})`;
    case 'expand':
      return `.expand(${shapeText(view.shape)})`;
    default:
      return view satisfies never;
  }
}

const shapeText = (shape: Shape): string => `[${shape.map(dimText).join(', ')}]`;

const locationText = (at: SourceLocation): string => `${quote(at.file)}:${at.line}:${at.column}`;

/** Keys that are not plain names are quoted. */
const keyText = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key));

const attrsText = (attrs: Attrs): string =>
  `{${Object.entries(attrs)
    .map(([key, value]) => `${keyText(key)}: ${attrText(value)}`)
    .join(', ')}}`;

function attrText(value: AttrValue): string {
  if (typeof value === 'boolean') return String(value);
  if (isTextAttr(value)) return `text ${quote(value.text)}`;
  if (typeof value === 'object') return shapeText(value);
  return dimText(value);
}

function hintsText(hints: Hints): string {
  const parts: string[] = [];
  if (hints.noChunk !== undefined) parts.push(`noChunk: ${hints.noChunk}`);
  if (hints.preferChunk !== undefined) parts.push(`preferChunk: ${quote(hints.preferChunk)}`);
  if (hints.region !== undefined) parts.push(`region: ${quote(hints.region)}`);
  return `{${parts.join(', ')}}`;
}

const numberText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

/** Words that would read back as something else than a dimension. */
const RESERVED = new Set(['true', 'false', 'Infinity', 'NaN']);

function dimText(dim: Dim): string {
  if (typeof dim === 'number') return numberText(dim);
  return isPlainDim(dim) ? dim : quote(dim);
}

function isPlainDim(dim: string): boolean {
  if (!/[A-Za-z_$]/.test(dim) || RESERVED.has(dim)) return false;
  try {
    return canonicalDim(dim) === dim;
  } catch {
    return false;
  }
}

/** JSON string, with the two line separators that JSON leaves alone escaped: the text stays one line a node. */
const quote = (text: string): string =>
  JSON.stringify(text).replace(
    /[\u2028\u2029\u007f-\u009f]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
