import type { Plan } from '../ir/plan.ts';
import { writeBody } from './body.ts';
import { describePlan, nameSources } from './describe.ts';
import {
  formulaStatements,
  importStatement,
  infoStatement,
  ReadyLines,
  runStatements,
  tensorInterfaces,
  writeModule,
} from './module-parts.ts';
import { literal, numberLiteral } from './text.ts';

/**
 * The TypeScript module that performs a plan: explicit allocations, loops, kernel calls and frees, and nothing behind
 * them. It imports only `autochunk/runtime`, type-checks under strict settings, and is the same for the same plan, byte
 * for byte. `modelFile` (relative to the project) is named in the header.
 */
export function generateModule(plan: Plan, meta: { readonly modelFile?: string } = {}): string {
  const { program, graph } = plan;
  const sources = nameSources(graph);
  const body = writeBody(plan, sources);
  const facts = [
    ['model', literal(plan.model)],
    ['dims', Object.entries(plan.dims).map(([name, value]) => [name, numberLiteral(value)] as const)],
    ['backend', literal(plan.backend)],
    ['budgetBytes', numberLiteral(plan.budgetBytes)],
    ['unchunkedPeakBytes', numberLiteral(plan.unchunked.peakBytes)],
    ['plannedPeakBytes', numberLiteral(plan.planned.peakBytes)],
    ...(plan.arena ? [['arenaBytes', numberLiteral(plan.arena.bytes)] as const] : []),
  ] as const;
  const ready = new ReadyLines();
  const statements = [
    importStatement(body),
    ...tensorInterfaces(program, graph, ready),
    ...formulaStatements(body),
    ...runStatements(body, program, ready, plan.arena),
    infoStatement(facts, program, graph, ready),
  ];
  return writeModule(describePlan(plan, sources, meta.modelFile), statements, ready);
}
