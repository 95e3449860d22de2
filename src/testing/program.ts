import { type Dim, divDims, evalDim, mulDims, type Shape } from '../ir/dims.ts';

/**
 * A random DSL program as data. Every list of instructions is a valid program: numbers are taken modulo the choices
 * there are at that point, so that shrinking (dropping instructions, lowering numbers) never leaves the language.
 */
export interface ProgramSpec {
  /** Value of the named dimension `N`. */
  readonly n: number;
  /** Shapes of the inputs; `'N'` is the named dimension. */
  readonly inputs: readonly Shape[];
  /** One statement each: which operation, and the numbers that pick its operands and attributes. */
  readonly instructions: readonly (readonly number[])[];
}

interface Value {
  readonly name: string;
  readonly shape: Shape;
}

/** Emits one statement from an operand, or returns undefined where the operand's shape does not allow it. */
type Statement = (at: Writer, x: Value, next: (choices: number) => number) => Result | undefined;
interface Result {
  readonly call: string;
  readonly shape: Shape;
}

/** Keeps values small: a program is run at every backend, many times. */
const MAX_ELEMENTS = 4096;
const MAX_RANK = 4;
/** Statements read one of so many values before them: chains are where chunking happens. */
const RECENT = 4;

const last = (shape: Shape): Dim => shape.at(-1) as Dim;
const literal = (shape: Shape): string => `[${shape.map((dim) => JSON.stringify(dim)).join(', ')}]`;
const replaced = (shape: Shape, axis: number, ...by: readonly Dim[]): Shape => [
  ...shape.slice(0, axis),
  ...by,
  ...shape.slice(axis + 1),
];

class Writer {
  readonly values: Value[] = [];
  readonly lines: string[] = [];
  readonly used = new Set<string>();
  readonly bindings: Readonly<Record<string, number>>;
  private parameters = 0;

  constructor(n: number) {
    this.bindings = { N: n };
  }

  /** `name(args)`, remembering that `name` must be imported. */
  call(name: string, ...args: readonly (string | number)[]): string {
    this.used.add(name);
    return `${name}(${args.join(', ')})`;
  }

  parameter(shape: Shape): string {
    return this.call('param', `'p${this.parameters++}'`, literal(shape));
  }

  layer(): string {
    this.used.add('nn');
    return `'p${this.parameters++}'`;
  }

  extent(dim: Dim): number {
    return evalDim(dim, this.bindings);
  }
}

const UNARY = ['neg', 'abs', 'tanh', 'sigmoid', 'silu', 'relu', 'sin', 'cos'];
const BINARY = ['add', 'sub', 'mul', 'maximum', 'minimum'];
const REDUCTIONS = ['sum', 'mean', 'amax', 'amin'];

/** A shape that broadcasts against `shape`: some leading axes dropped, some axes 1. */
function broadcastable(shape: Shape, next: (choices: number) => number): Shape {
  const kept = shape.slice(next(shape.length + 1));
  return kept.map((dim) => (next(3) === 0 ? 1 : dim));
}

const STATEMENTS: readonly Statement[] = [
  (at, x, next) => ({ call: at.call(UNARY[next(UNARY.length)] as string, x.name), shape: x.shape }),
  (at, x, next) => ({ call: at.call('gelu', x.name, next(2) === 0 ? `'tanh'` : `'erf'`), shape: x.shape }),
  (at, x, next) => ({
    call: at.call(BINARY[next(BINARY.length)] as string, x.name, (next(17) - 8) / 4),
    shape: x.shape,
  }),
  (at, x, next) => {
    const op = BINARY[next(BINARY.length)] as string;
    return { call: at.call(op, x.name, at.parameter(broadcastable(x.shape, next))), shape: x.shape };
  },
  (at, x, next) => {
    const partners = at.values.filter((v) => broadcastsInto(v.shape, x.shape));
    const y = partners[next(partners.length)] as Value;
    return { call: at.call(BINARY[next(BINARY.length)] as string, x.name, y.name), shape: x.shape };
  },
  (at, x, next) => {
    const condition = at.call('greater', x.name, (next(5) - 2) / 4);
    return { call: at.call('where', condition, x.name, at.parameter([])), shape: x.shape };
  },
  (at, x, next) => {
    if (x.shape.length === 0) return undefined;
    return { call: at.call('softmax', x.name, next(x.shape.length)), shape: x.shape };
  },
  (at, x, next) => {
    const width = last(x.shape);
    if (typeof width !== 'number' || width < 2) return undefined;
    const layer = next(2) === 0 ? 'layerNorm' : 'rmsNorm';
    return { call: `nn.${layer}(${at.layer()}, ${x.name})`, shape: x.shape };
  },
  (at, x, next) => {
    const width = last(x.shape);
    if (typeof width !== 'number') return undefined;
    const out = 1 + next(9);
    return {
      call: `nn.linear(${at.layer()}, ${x.name}, ${out})`,
      shape: replaced(x.shape, x.shape.length - 1, out),
    };
  },
  (at, x, next) => {
    if (x.shape.length < 2 || typeof last(x.shape) !== 'number') return undefined;
    const out = 1 + next(6);
    const weight = at.parameter([last(x.shape), out]);
    return { call: at.call('matmul', x.name, weight), shape: replaced(x.shape, x.shape.length - 1, out) };
  },
  (at, x) => {
    if (x.shape.length < 2) return undefined;
    const rows = x.shape.at(-2) as Dim;
    const transposed = at.call('transpose', x.name, -2, -1);
    return {
      call: at.call('matmul', x.name, transposed),
      shape: replaced(x.shape, x.shape.length - 1, rows),
    };
  },
  (at, x, next) => {
    if (x.shape.length < 2 || typeof last(x.shape) !== 'number') return undefined;
    const causal = next(2) === 0 ? 'true' : 'false';
    return {
      call: at.call('scaledDotProductAttention', x.name, x.name, x.name, `{ causal: ${causal} }`),
      shape: x.shape,
    };
  },
  (at, x) => (x.shape.length < 2 ? undefined : { call: at.call('causalMask', x.name), shape: x.shape }),
  (at, x, next) => {
    if (x.shape.length === 0) return undefined;
    const axis = next(x.shape.length);
    const keepdims = next(2) === 0;
    return {
      call: at.call(REDUCTIONS[next(REDUCTIONS.length)] as string, x.name, axis, `{ keepdims: ${keepdims} }`),
      shape: keepdims ? replaced(x.shape, axis, 1) : replaced(x.shape, axis),
    };
  },
  (at, x, next) => {
    if (x.shape.length < 2) return undefined;
    const a = next(x.shape.length);
    const b = next(x.shape.length);
    const shape = x.shape.map((dim, i) => (i === a ? x.shape[b] : i === b ? x.shape[a] : dim) as Dim);
    return { call: at.call('transpose', x.name, a, b), shape };
  },
  (at, x, next) => {
    if (x.shape.length < 2) return undefined;
    const axis = next(x.shape.length - 1);
    const merged = mulDims(x.shape[axis] as Dim, x.shape[axis + 1] as Dim);
    const shape = [...x.shape.slice(0, axis), merged, ...x.shape.slice(axis + 2)];
    return { call: at.call('reshape', x.name, literal(shape)), shape };
  },
  (at, x, next) => {
    if (x.shape.length === 0 || x.shape.length >= MAX_RANK) return undefined;
    const axis = next(x.shape.length);
    const dim = x.shape[axis] as Dim;
    const factor = 1 + next(4);
    const inner = divDims(dim, factor);
    if (inner === undefined) return undefined;
    const shape =
      next(2) === 0 ? replaced(x.shape, axis, factor, inner) : replaced(x.shape, axis, inner, factor);
    return { call: at.call('reshape', x.name, literal(shape)), shape };
  },
  (at, x, next) => {
    if (x.shape.length === 0) return undefined;
    const axis = next(x.shape.length);
    const dim = x.shape[axis] as Dim;
    if (typeof dim !== 'number') return undefined;
    const start = next(dim);
    const stop = start + 1 + next(dim - start);
    return {
      call: at.call('slice', x.name, axis, start, stop),
      shape: replaced(x.shape, axis, stop - start),
    };
  },
  (at, x, next) => {
    if (x.shape.length === 0) return undefined;
    const axis = next(x.shape.length);
    const doubled = mulDims(2, x.shape[axis] as Dim);
    return {
      call: at.call('concat', `[${x.name}, ${x.name}]`, axis),
      shape: replaced(x.shape, axis, doubled),
    };
  },
];

function broadcastsInto(from: Shape, to: Shape): boolean {
  const lead = to.length - from.length;
  return lead >= 0 && from.every((dim, axis) => dim === 1 || dim === to[axis + lead]);
}

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
  const inputs = spec.inputs.map(
    (shape, i) => `x${i}: ${at.call('f32', ...shape.map((d) => JSON.stringify(d)))}`,
  );
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
