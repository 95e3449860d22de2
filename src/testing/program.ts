import { mulDims, type Shape } from '../ir/dims.ts';
import { STATEMENTS, type Statement, type Value, Writer } from './statements.ts';

/**
 * A random DSL program as data. Every list of instructions is a valid program: numbers are taken modulo the choices
 * there are at that point, so that shrinking (dropping instructions, lowering numbers) never leaves the language.
 */
export interface ProgramSpec {
  /** Value of the named dimension `N`. */
  readonly n: number;
  /** Shapes of the inputs; `'N'` is the named dimension. */
  readonly inputs: readonly Shape[];
  /** How many of them, the first ones, are donated. Default: none. */
  readonly donated?: number;
  /** One statement each: which operation, and the numbers that pick its operands and attributes. */
  readonly instructions: readonly (readonly number[])[];
}

/** Keeps values small: a program is run at every backend, many times. */
const MAX_ELEMENTS = 4096;
/** Statements read one of so many values before them: chains are where chunking happens. */
const RECENT = 4;

/** A program written out: runnable DSL source, the expression that makes the model, and the names it imports. */
export interface WrittenProgram {
  /** A complete module exporting `model`. */
  readonly source: string;
  /** The `defineModel(…)` expression of the source. */
  readonly expression: string;
  readonly imports: readonly string[];
  readonly dims: Readonly<Record<string, number>>;
}

/** Writes a program as DSL source. */
export function writeProgram(spec: ProgramSpec): WrittenProgram {
  const at = new Writer(spec.n);
  at.used.add('defineModel');
  spec.inputs.forEach((shape, i) => void at.values.push({ name: `x${i}`, shape }));
  const read = new Set<string>();
  for (const [kind = 0, operand = 0, ...numbers] of spec.instructions) {
    let used = 0;
    const next = (choices: number): number => (numbers[used++ % Math.max(1, numbers.length)] ?? 0) % choices;
    const x = at.values[at.values.length - 1 - (operand % Math.min(RECENT, at.values.length))] as Value;
    const result = (STATEMENTS[kind % STATEMENTS.length] as Statement)(at, x, next);
    if (!result || at.extent(mulDims(1, ...result.shape)) > MAX_ELEMENTS) continue;
    const name = `v${at.lines.length}`;
    at.lines.push(`  const ${name} = ${result.call};`);
    for (const [mention] of result.call.matchAll(/\b[vx]\d+\b/g)) read.add(mention);
    at.values.push({ name, shape: result.shape });
  }
  const unread = at.values.filter((value) => !read.has(value.name) && !value.name.startsWith('x'));
  const outputs = unread.length > 0 ? unread : [at.values.at(-1) as Value];
  at.used.add('f32');
  const inputs = spec.inputs.map((shape, i) => {
    const options = i < (spec.donated ?? 0) ? ['{ donated: true }'] : [];
    return `x${i}: ${at.call('f32', ...shape.map((d) => JSON.stringify(d)), ...options)}`;
  });
  const names = spec.inputs.map((_, i) => `x${i}`);
  const expression = [
    `defineModel('random', { ${inputs.join(', ')} }, ({ ${names.join(', ')} }) => {`,
    ...at.lines,
    `  return { ${outputs.map((value) => value.name).join(', ')} };`,
    '})',
  ].join('\n');
  const imports = [...at.used].sort();
  return {
    source: `import { ${imports.join(', ')} } from 'autochunk';\n\n// N = ${spec.n}\nexport const model = ${expression};\n`,
    expression,
    imports,
    dims: spec.inputs.some((shape) => shape.includes('N')) ? { N: spec.n } : {},
  };
}
