import {
  type ImportDeclarationStructure,
  IndentationText,
  type InterfaceDeclarationStructure,
  NewLineKind,
  Project,
  QuoteKind,
  type StatementStructures,
  StructureKind,
  type WriterFunction,
} from 'ts-morph';
import { invariant } from '../errors.ts';
import type { Dim, Shape } from '../ir/dims.ts';
import { definedBy, type Graph, type GraphInput, type TensorType, type ValueId } from '../ir/node.ts';
import type { ArenaLayout } from '../ir/plan.ts';
import { printType } from '../ir/print.ts';
import type { Program } from '../ir/program.ts';
import type { Body } from './body.ts';
import { comment, literal, memberName, objectKey, property } from './text.ts';

export type Statements = (StatementStructures | WriterFunction)[];

/**
 * Lines of a module that need no printing, each lot by the name that stands for it while the statements around are printed: deep
 * models have tens of thousands of them.
 */
export class ReadyLines {
  readonly #lots: (readonly string[])[] = [];

  /** A name, which is a line of its own in the statements, for some lines. */
  add(lines: readonly string[]): string {
    return `lines_${this.#lots.push(lines) - 1}`;
  }

  /** The text with the lines where their names are, with the indentation of these. */
  fill(text: string): string {
    let filled = 0;
    const full = text.replace(/^( *)lines_(\d+)[;,]$/gm, (_, indent: string, lot: string) => {
      filled++;
      return (this.#lots[Number(lot)] ?? []).map((line) => (indent + line).trimEnd()).join('\n');
    });
    invariant(filled === this.#lots.length, () => `${filled} of ${this.#lots.length} lots have a place`);
    return full;
  }
}

/** The text of a module: its header as a comment, and its statements. */
export function writeModule(header: readonly string[], statements: Statements, ready: ReadyLines): string {
  const project = new Project({
    useInMemoryFileSystem: true,
    manipulationSettings: {
      indentationText: IndentationText.TwoSpaces,
      newLineKind: NewLineKind.LineFeed,
      quoteKind: QuoteKind.Single,
    },
  });
  const lines = header.map((line) => ` * ${comment(line)}`.trimEnd());
  const text = project.createSourceFile('module.ts', { statements }).getFullText();
  return ready.fill(`/**\n${lines.join('\n')}\n */\n${text}`.replace(/[ \t]+$/gm, ''));
}

/** The one import, with the functions beside the kernels that a module calls. */
export const importStatement = (
  body: Body,
  functions: readonly string[] = [],
): ImportDeclarationStructure => ({
  kind: StructureKind.ImportDeclaration,
  moduleSpecifier: 'autochunk/runtime',
  namedImports: [
    { name: 'Device', isTypeOnly: true },
    { name: 'DeviceRun', isTypeOnly: true },
    { name: 'RunOptions', isTypeOnly: true },
    { name: 'Tensor', isTypeOnly: true },
    ...[...functions, ...(body.usesKernels ? ['k'] : [])].map((name) => ({ name })),
  ],
});

/** What goes into a module and what comes out. */
export const tensorInterfaces = (program: Program, graph: Graph, ready: ReadyLines): Statements => [
  interfaceOf(
    'Inputs',
    program.inputs.map((input) => [input.id, inputNote(input), '']),
    ready,
  ),
  interfaceOf(
    'Params',
    program.params.map((param) => [param.id, printType(param), param.key]),
    ready,
  ),
  interfaceOf(
    'Outputs',
    outputTypes(graph).map(([name, type]) => [name, printType(type), '']),
    ready,
  ),
];

const inputNote = (input: Program['inputs'][number]): string =>
  printType(input) +
  (input.below === undefined ? '' : ` below ${input.below}`) +
  (input.donated ? ' donated: freed here' : '');

/** One tensor a member, with its type and what it is called outside beside it. */
function interfaceOf(
  name: string,
  members: readonly (readonly [member: string, type: string, remark: string])[],
  ready: ReadyLines,
): StatementStructures {
  if (members.length === 0) {
    return { kind: StructureKind.TypeAlias, name, isExported: true, type: 'Record<string, never>' };
  }
  const names = members.map(([member]) => `${memberName(member)}: Tensor;`);
  const nameWidth = widest(names);
  const typeWidth = widest(members.map(([, type]) => type));
  const lines = members.map(([, type, remark], i) =>
    `${(names[i] as string).padEnd(nameWidth)}  // ${type.padEnd(typeWidth)}  ${comment(remark)}`.trimEnd(),
  );
  return {
    kind: StructureKind.Interface,
    name,
    isExported: true,
    properties: [{ name: ready.add(lines) }],
  } satisfies InterfaceDeclarationStructure;
}

const widest = (texts: readonly string[]): number =>
  texts.reduce((width, { length }) => Math.max(width, length), 0);

/** Types of the outputs by name. */
function outputTypes(graph: Graph): [string, TensorType][] {
  const types = new Map<ValueId, TensorType>();
  for (const value of [...graph.inputs, ...graph.params]) types.set(value.id, value);
  for (const node of graph.nodes) for (const value of definedBy(node)) types.set(value.id, value);
  return graph.outputs.map(({ name, value }) => [name, types.get(value) as TensorType]);
}

/** `run` and `compute`. */
export function runStatements(
  body: Body,
  program: Program,
  ready: ReadyLines,
  arena?: ArenaLayout,
): Statements {
  const donated = program.inputs.flatMap((input) => (input.donated ? [property('inputs', input.id)] : []));
  const memory = [
    ...(arena ? [`arenaBytes: ${arena.bytes}`] : []),
    ...(donated.length > 0 ? [`donated: [${donated.join(', ')}]`] : []),
  ];
  const more = memory.length > 0 ? `, { ${memory.join(', ')} }` : '';
  return [
    {
      kind: StructureKind.Function,
      name: 'run',
      isAsync: true,
      isExported: true,
      docs: [
        `Records the whole computation on \`device\`. Inputs stay alive${donated.length > 0 ? ', donated ones are taken over' : ''}; the outputs are yours to free.`,
      ],
      parameters: [
        { name: 'device', type: 'Device' },
        { name: 'inputs', type: 'Inputs' },
        { name: 'params', type: 'Params' },
        { name: 'options', type: 'RunOptions', hasQuestionToken: true },
      ],
      returnType: 'Promise<Outputs>',
      statements: `return device.run((run) => compute(run, inputs, params), options${more});`,
    },
    {
      kind: StructureKind.Function,
      name: 'compute',
      isAsync: true,
      parameters: [
        { name: body.usesDevice ? 'device' : '_device', type: 'DeviceRun' },
        { name: body.usesInputs ? 'inputs' : '_inputs', type: 'Inputs' },
        { name: body.usesParams ? 'params' : '_params', type: 'Params' },
      ],
      returnType: 'Promise<Outputs>',
      statements: `${ready.add(body.lines)};`,
    },
  ];
}

/** The kernels of fused ops, by name. */
export const formulaStatements = ({ formulas }: Body): Statements =>
  formulas.size === 0
    ? []
    : [
        (writer) => {
          for (const [text, name] of formulas)
            writer.writeLine(`const ${name} = k.formula(${literal(text)});`);
        },
      ];

export type Entry = readonly [key: string, value: string | readonly Entry[]];

/** `info`: facts for tools that load the module, and what to feed it. */
export const infoStatement = (
  facts: readonly Entry[],
  program: Program,
  graph: Graph,
  ready: ReadyLines,
): WriterFunction => {
  const lines = ready.add(record([...facts, ...tensorFacts(program, graph)]));
  return (writer) => {
    writer
      .write('export const info = ')
      .inlineBlock(() => writer.write(`${lines},`))
      .write(' as const;');
  };
};

/** The lines of an object literal between its braces, one entry a line. */
const record = (entries: readonly Entry[]): string[] =>
  entries.flatMap(([name, value]) => {
    const key = objectKey(name);
    if (typeof value === 'string') return `${key}: ${value},`;
    if (value.length === 0) return `${key}: {},`;
    return [`${key}: {`, ...record(value).map((line) => `  ${line}`), '},'];
  });

function tensorFacts(program: Program, graph: Graph): Entry[] {
  const extent = (dim: Dim): string => (typeof dim === 'number' ? String(dim) : literal(dim));
  const shape = (extents: Shape): string => `[${extents.map(extent).join(', ')}]`;
  const tensor = (type: TensorType, more = ''): string =>
    `{ shape: ${shape(type.shape)}, dtype: ${literal(type.dtype)}${more} }`;
  const input = (value: GraphInput): string =>
    tensor(
      value,
      (value.below === undefined ? '' : `, below: ${value.below}`) + (value.donated ? ', donated: true' : ''),
    );
  return [
    ['inputs', program.inputs.map((value) => [value.id, input(value)])],
    [
      'params',
      program.params.map(({ id, key, shape: extents }) => [
        id,
        `{ key: ${literal(key)}, shape: ${shape(extents)} }`,
      ]),
    ],
    ['outputs', outputTypes(graph).map(([name, type]) => [name, tensor(type)])],
  ];
}
