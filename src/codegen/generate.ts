import {
  type FunctionDeclarationStructure,
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
import type { Shape } from '../ir/dims.ts';
import { definedBy, type GraphInput, type TensorType, type ValueId } from '../ir/node.ts';
import type { Plan } from '../ir/plan.ts';
import { printType } from '../ir/print.ts';
import type { Program } from '../ir/program.ts';
import { type Body, writeBody } from './body.ts';
import { describePlan, nameSources } from './describe.ts';
import { comment, literal, memberName, numberLiteral, objectKey } from './text.ts';

/**
 * The TypeScript module that performs a plan: explicit allocations, loops, kernel calls and frees, and nothing behind
 * them. It imports only `autochunk/runtime`, type-checks under strict settings, and is the same for the same plan, byte
 * for byte. `modelFile` (relative to the project) is named in the header.
 */
export function generateModule(plan: Plan, meta: { readonly modelFile?: string } = {}): string {
  const sources = nameSources(plan.graph);
  const project = new Project({
    useInMemoryFileSystem: true,
    manipulationSettings: {
      indentationText: IndentationText.TwoSpaces,
      newLineKind: NewLineKind.LineFeed,
      quoteKind: QuoteKind.Single,
    },
  });
  const statements = moduleStatements(plan, writeBody(plan, sources));
  const header = describePlan(plan, sources, meta.modelFile).map((line) => ` * ${comment(line)}`);
  const file = project.createSourceFile('module.ts', { statements });
  return `/**\n${header.join('\n')}\n */\n${file.getFullText()}`.replace(/[ \t]+$/gm, '');
}

function moduleStatements(plan: Plan, body: Body): (StatementStructures | WriterFunction)[] {
  const { program } = plan;
  return [
    importStatement(body),
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
      outputTypes(plan).map(([name, type]) => [name, printType(type), '']),
    ),
    runStatement(body, program.inputs.some((input) => input.donated) ? ', donated ones are taken over' : ''),
    infoStatement(plan),
  ];
}

const importStatement = (body: Body): ImportDeclarationStructure => ({
  kind: StructureKind.ImportDeclaration,
  moduleSpecifier: 'autochunk/runtime',
  namedImports: [
    { name: 'Device', isTypeOnly: true },
    { name: 'Tensor', isTypeOnly: true },
    ...(body.usesKernels ? [{ name: 'k' }] : []),
  ],
});

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

/** Facts for tools that load the module: sizes, and what to feed it. */
function infoStatement(plan: Plan): WriterFunction {
  const { program } = plan;
  const shape = (extents: Shape): string => `[${extents.join(', ')}]`;
  const tensor = (type: TensorType, more = ''): string =>
    `{ shape: ${shape(type.shape)}, dtype: ${literal(type.dtype)}${more} }`;
  const input = (value: GraphInput): string =>
    tensor(
      value,
      (value.below === undefined ? '' : `, below: ${value.below}`) + (value.donated ? ', donated: true' : ''),
    );
  const info = record([
    ['model', literal(plan.model)],
    ['dims', record(Object.entries(plan.dims).map(([name, value]) => [name, numberLiteral(value)]))],
    ['backend', literal(plan.backend)],
    ['budgetBytes', numberLiteral(plan.budgetBytes)],
    ['unchunkedPeakBytes', numberLiteral(plan.unchunked.peakBytes)],
    ['plannedPeakBytes', numberLiteral(plan.planned.peakBytes)],
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
    ['outputs', record(outputTypes(plan).map(([name, type]) => [name, tensor(type)]))],
  ]);
  return (writer) => {
    writer.write('export const info = ');
    info(writer);
    writer.write(' as const;');
  };
}

/** Writes an object literal, one entry a line. */
const record =
  (entries: readonly (readonly [string, string | WriterFunction])[]): WriterFunction =>
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

/** Types of the outputs by name. */
function outputTypes({ graph }: Plan): [string, TensorType][] {
  const types = new Map<ValueId, TensorType>();
  for (const value of [...graph.inputs, ...graph.params]) types.set(value.id, value);
  for (const node of graph.nodes) for (const value of definedBy(node)) types.set(value.id, value);
  return graph.outputs.map(({ name, value }) => [name, types.get(value) as TensorType]);
}

const runStatement = (body: Body, donated: string): FunctionDeclarationStructure => ({
  kind: StructureKind.Function,
  name: 'run',
  isAsync: true,
  isExported: true,
  docs: [
    `Records the whole computation on \`device\`. Inputs stay alive${donated}; the outputs are yours to free.`,
  ],
  parameters: [
    { name: body.usesDevice ? 'device' : '_device', type: 'Device' },
    { name: body.usesInputs ? 'inputs' : '_inputs', type: 'Inputs' },
    { name: body.usesParams ? 'params' : '_params', type: 'Params' },
  ],
  returnType: 'Promise<Outputs>',
  statements: body.lines.join('\n'),
});
