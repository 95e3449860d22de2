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

/** Stands for the lines of `compute` while the statements around it are printed; no comment has two lines. */
const BODY = 'body;';
const HEAD = '): Promise<Outputs> {\n';

/**
 * The text of a module: its header as a comment, and its statements. `body`: the lines of `compute`, which need no printing;
 * deep models have tens of thousands.
 */
export function writeModule(
  header: readonly string[],
  statements: Statements,
  body: readonly string[],
): string {
  const project = new Project({
    useInMemoryFileSystem: true,
    manipulationSettings: {
      indentationText: IndentationText.TwoSpaces,
      newLineKind: NewLineKind.LineFeed,
      quoteKind: QuoteKind.Single,
    },
  });
  const lines = header.map((line) => ` * ${comment(line)}`);
  const text = project.createSourceFile('module.ts', { statements }).getFullText();
  const [before, after, ...more] = text.split(`${HEAD}  ${BODY}\n`);
  invariant(after !== undefined && more.length === 0, () => 'there is not one function for the body');
  const indented = body.map((line) => `  ${line}\n`).join('');
  return `/**\n${lines.join('\n')}\n */\n${before}${HEAD}${indented}${after}`.replace(/[ \t]+$/gm, '');
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
export const tensorInterfaces = (program: Program, graph: Graph): Statements => [
  interfaceOf(
    'Inputs',
    program.inputs.map((input) => [input.id, inputNote(input), '']),
  ),
  interfaceOf(
    'Params',
    program.params.map((param) => [param.id, printType(param), param.key]),
  ),
  interfaceOf(
    'Outputs',
    outputTypes(graph).map(([name, type]) => [name, printType(type), '']),
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
): StatementStructures {
  if (members.length === 0) {
    return { kind: StructureKind.TypeAlias, name, isExported: true, type: 'Record<string, never>' };
  }
  const nameWidth = Math.max(...members.map(([member]) => memberName(member).length));
  const typeWidth = Math.max(...members.map(([, type]) => type.length));
  return {
    kind: StructureKind.Interface,
    name,
    isExported: true,
    properties: members.map(([member, type, remark]) => ({
      name: memberName(member),
      type: 'Tensor',
      trailingTrivia:
        `${' '.repeat(nameWidth - memberName(member).length)}  // ` +
        `${type.padEnd(typeWidth)}${remark === '' ? '' : `  ${comment(remark)}`}`,
    })),
  } satisfies InterfaceDeclarationStructure;
}

/** Types of the outputs by name. */
function outputTypes(graph: Graph): [string, TensorType][] {
  const types = new Map<ValueId, TensorType>();
  for (const value of [...graph.inputs, ...graph.params]) types.set(value.id, value);
  for (const node of graph.nodes) for (const value of definedBy(node)) types.set(value.id, value);
  return graph.outputs.map(({ name, value }) => [name, types.get(value) as TensorType]);
}

/** `run`, and `compute`, whose lines {@link writeModule} puts in. */
export function runStatements(body: Body, program: Program, arena?: ArenaLayout): Statements {
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
      statements: BODY,
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

export type Entry = readonly [key: string, value: string | WriterFunction];

/** `info`: facts for tools that load the module, and what to feed it. */
export function infoStatement(facts: readonly Entry[], program: Program, graph: Graph): WriterFunction {
  const info = record([...facts, ...tensorFacts(program, graph)]);
  return (writer) => {
    writer.write('export const info = ');
    info(writer);
    writer.write(' as const;');
  };
}

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
    ['inputs', record(program.inputs.map((value) => [value.id, input(value)]))],
    [
      'params',
      record(
        program.params.map(({ id, key, shape: extents }) => [
          id,
          `{ key: ${literal(key)}, shape: ${shape(extents)} }`,
        ]),
      ),
    ],
    ['outputs', record(outputTypes(graph).map(([name, type]) => [name, tensor(type)]))],
  ];
}

/** Writes an object literal, one entry a line. */
export const record =
  (entries: readonly Entry[]): WriterFunction =>
  (writer) => {
    if (entries.length === 0) {
      writer.write('{}');
      return;
    }
    writer.inlineBlock(() => {
      for (const [key, value] of entries) {
        writer.write(`${objectKey(key)}: `);
        if (typeof value === 'string') writer.write(value);
        else value(writer);
        writer.write(',').newLine();
      }
    });
  };
