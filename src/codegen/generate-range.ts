import { type FunctionDeclarationStructure, StructureKind } from 'ts-morph';
import { UserError } from '../errors.ts';
import { dimTerms } from '../ir/dims.ts';
import type { ChunkRule, RangePlan, Room } from '../ir/range-plan.ts';
import { writeBody } from './body.ts';
import { nameSources } from './describe.ts';
import { describeRange, listLoops } from './describe-range.ts';
import { dimension } from './expression.ts';
import { layOut } from './lines.ts';
import {
  formulaStatements,
  importStatement,
  infoStatement,
  ReadyLines,
  runStatements,
  type Statements,
  tensorInterfaces,
  writeModule,
} from './module-parts.ts';
import { RESERVED } from './names.ts';
import { literal, numberLiteral } from './text.ts';

/**
 * The TypeScript module that performs a plan for a range of sizes. Like that of a plan for one size, and beside `run` it
 * has the functions by which chunk sizes and the peak follow from the size.
 *
 * @throws UserError for a dimension whose name cannot be a variable
 */
export function generateRangeModule(plan: RangePlan, meta: { readonly modelFile?: string } = {}): string {
  const { program, graph, over, rules } = plan;
  if (RESERVED.has(over)) {
    throw new UserError(
      `${plan.model}: a dimension named ${over} cannot have a range: modules have other things of that name. Call it N, for example`,
    );
  }
  const sources = nameSources(graph);
  const steps = writeBody(plan, sources, plan.sizes);
  const { mentions } = steps;
  const used = (names: readonly string[]): string[] => names.filter((name) => mentions.has(name));
  const chunks = used(rules.map(({ name }) => name));
  const needsSize = chunks.length > 0 || mentions.has(over);
  const before = [
    needsSize ? `const { ${over} } = readDims(info, inputs);` : 'readDims(info, inputs);',
    ...(chunks.length > 0 ? [`const { ${chunks.join(', ')} } = chunkSizes(${over});`] : []),
    '',
  ];
  const body = { ...steps, lines: [...before, ...steps.lines], usesInputs: true };
  const facts = [
    ['model', literal(plan.model)],
    [
      'dims',
      [
        [over, `[${plan.range.from}, ${plan.range.to}]`],
        ...Object.entries(plan.dims).map(([name, value]) => [name, numberLiteral(value)] as const),
      ],
    ],
    ['backend', literal(plan.backend)],
    ['budgetBytes', numberLiteral(plan.budgetBytes)],
    ...(plan.capBytes !== undefined && isCapped(plan)
      ? [['capBytes', numberLiteral(plan.capBytes)] as const]
      : []),
    ['unchunkedPeakBytes', numberLiteral(plan.unchunked.peakBytes)],
    ['plannedPeakBytes', numberLiteral(plan.planned.peakBytes)],
  ] as const;
  const functions: Statements = [...(rules.length > 0 ? [chunkFunction(plan)] : []), peakFunction(plan)];
  const ready = new ReadyLines();
  const statements = [
    importStatement(body, [...(rules.length > 0 ? ['fitChunk'] : []), 'readDims']),
    ...tensorInterfaces(program, graph, ready),
    ...formulaStatements(body),
    ...runStatements(body, program, ready),
    ...functions,
    infoStatement(facts, program, graph, ready),
  ];
  return writeModule(describeRange(plan, sources, meta.modelFile), statements, ready);
}

/** Does a storage keep a chunk from being larger? */
const isCapped = ({ rules }: RangePlan): boolean =>
  rules.some(({ rooms }) => rooms.some(({ limit }) => limit === 'cap'));

function chunkFunction({ over, rules }: RangePlan): FunctionDeclarationStructure {
  const bytes = { budget: 'info.budgetBytes', cap: 'info.capBytes' } as const;
  const room = ({ limit, fixed, each }: Room): string => {
    const taken = dimTerms(fixed).length > 1 ? `(${dimension(fixed, [])})` : dimension(fixed, []);
    const left = fixed === 0 ? bytes[limit] : `(${bytes[limit]} - ${taken})`;
    return `${left} / ${typeof each === 'number' ? each : `(${dimension(each, [])})`}`;
  };
  const most = ({ extent, rooms }: ChunkRule): string => {
    const units = dimension(extent, []);
    const [only] = rooms;
    if (only === undefined) return units;
    return `fitChunk(${units}, ${rooms.length === 1 ? room(only) : `Math.min(${rooms.map(room).join(', ')})`})`;
  };
  const lines = rules.map((rule) => ({
    indent: 0,
    code: `const ${rule.name} = ${most(rule)};`,
    note: listLoops(rule.loops),
  }));
  const names = rules.map(({ name }) => name);
  return {
    kind: StructureKind.Function,
    name: 'chunkSizes',
    isExported: true,
    docs: [`The chunk sizes at one ${over}: as large as what is alive beside the chunks leaves room for.`],
    parameters: [{ name: over, type: 'number' }],
    returnType: `{ ${names.map((name) => `${name}: number`).join('; ')} }`,
    statements: [...layOut(lines), `return { ${names.join(', ')} };`].join('\n'),
  };
}

function peakFunction({ over, rules, peaks }: RangePlan): FunctionDeclarationStructure {
  const sums = peaks.map((dim) => dimension(dim, []));
  const mentioned = new Set(peaks.flatMap((dim) => dimTerms(dim).flatMap(({ names }) => names)));
  const chunks = rules.map(({ name }) => name).filter((name) => mentioned.has(name));
  const [only] = sums;
  return {
    kind: StructureKind.Function,
    name: 'plannedPeakBytes',
    isExported: true,
    docs: [`The most bytes of activations alive at once at one ${over}: what a run measures, to the byte.`],
    parameters: [{ name: mentioned.size === 0 ? `_${over}` : over, type: 'number' }],
    returnType: 'number',
    statements: [
      ...(chunks.length > 0 ? [`const { ${chunks.join(', ')} } = chunkSizes(${over});`] : []),
      sums.length === 1
        ? `return ${only};`
        : `return Math.max(\n${sums.map((sum) => `  ${sum},`).join('\n')}\n);`,
    ].join('\n'),
  };
}
