import fc from 'fast-check';
import * as dsl from '../index.ts';
import { type ProgramSpec, type WrittenProgram, writeProgram } from './program.ts';

/** A random program, ready to compile, with the source that says the same thing. */
export interface RandomProgram extends WrittenProgram {
  readonly model: dsl.Model;
}

export interface ProgramConstraints {
  /** Most statements of a program. Default 12. */
  readonly maxStatements?: number;
  /** Largest value of the named dimension `N`. Default 9. */
  readonly maxN?: number;
}

/**
 * Random DSL programs over one or two inputs with the named dimension `N`, the first donated or not: element-wise maps with
 * broadcasting, products, einsum, attention with and without projections, gated and residual layers, norms, softmax, convolutions,
 * pooling, reductions and views, in any order, with one output or several. They shrink to fewer statements and smaller
 * numbers, and always print as a runnable module (`program.source`).
 */
export function programs({
  maxStatements = 12,
  maxN = 9,
}: ProgramConstraints = {}): fc.Arbitrary<RandomProgram> {
  const extent = fc.integer({ min: 1, max: 6 });
  const shape = fc.oneof(
    extent.map((d) => ['N', d]),
    fc.tuple(extent, extent).map(([heads, d]) => [heads, 'N', d]),
    fc.tuple(extent, extent).map(([a, b]) => [a, b]),
    fc.constant(['N']),
    fc.tuple(extent, extent).map(([channels, columns]) => [1, channels, 'N', columns]),
    fc.tuple(extent, extent, extent).map(([channels, ...sides]) => ['N', channels, ...sides]),
  );
  const spec: fc.Arbitrary<ProgramSpec> = fc.record({
    n: fc.integer({ min: 1, max: maxN }),
    inputs: fc.array(shape, { minLength: 1, maxLength: 2 }),
    donated: fc.nat({ max: 1 }),
    instructions: fc.array(fc.array(fc.nat({ max: 99 }), { minLength: 4, maxLength: 6 }), {
      minLength: 1,
      maxLength: maxStatements,
    }),
  });
  return spec.map((data) => {
    const program = { ...writeProgram(data), model: undefined as unknown as dsl.Model };
    // Shown instead of the instruction numbers when a property fails.
    Object.defineProperty(program, fc.toStringMethod, { value: () => `\n${program.source}` });
    // What runs is the printed expression itself, so that a counterexample is exactly its source.
    program.model = evaluate(program);
    return program;
  });
}

function evaluate({ expression, imports }: WrittenProgram): dsl.Model {
  return new Function('dsl', `const { ${imports.join(', ')} } = dsl;\nreturn ${expression};`)(
    dsl,
  ) as dsl.Model;
}
