import { type Dim, divDims, evalDim, mulDims, type Shape } from '../ir/dims.ts';

export interface Value {
  readonly name: string;
  readonly shape: Shape;
}

/** Emits one statement from an operand, or returns undefined where the operand's shape does not allow it. */
export type Statement = (at: Writer, x: Value, next: (choices: number) => number) => Result | undefined;
interface Result {
  readonly call: string;
  readonly shape: Shape;
}

const MAX_RANK = 4;

const last = (shape: Shape): Dim => shape.at(-1) as Dim;
const literal = (shape: Shape): string => `[${shape.map((dim) => JSON.stringify(dim)).join(', ')}]`;
const replaced = (shape: Shape, axis: number, ...by: readonly Dim[]): Shape => [
  ...shape.slice(0, axis),
  ...by,
  ...shape.slice(axis + 1),
];

/** The source of a program as it is written. */
export class Writer {
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

export const STATEMENTS: readonly Statement[] = [
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
  (at, x, next) => {
    if (x.shape.length < 2) return undefined;
    const masked = at.call('causalMask', x.name);
    // The lowest float32 in a sum leaves the range of float32, or does not, depending on how the sum is made.
    const call = next(2) === 0 ? at.call('softmax', masked, -1) : at.call('mul', masked, 2 ** -90);
    return { call, shape: x.shape };
  },
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
  (at, x) => {
    if (x.shape.length < 2) return undefined;
    const scores = at.call('maskedFill', x.name, at.call('greater', x.name, 0.5), -4);
    return { call: at.call('softmax', scores, x.shape.length - 1), shape: x.shape };
  },
  (at, x, next) => {
    const width = last(x.shape);
    if (x.shape.length < 2 || typeof width !== 'number') return undefined;
    const [q, k, v] = [0, 1, 2].map(() => `nn.linear(${at.layer()}, ${x.name}, ${width})`);
    const causal = next(2) === 0 ? 'true' : 'false';
    return {
      call: at.call(
        'scaledDotProductAttention',
        q as string,
        k as string,
        v as string,
        `{ causal: ${causal} }`,
      ),
      shape: x.shape,
    };
  },
  (at, x, next) => {
    const width = last(x.shape);
    if (typeof width !== 'number') return undefined;
    const hidden = at.call('gelu', `nn.linear(${at.layer()}, ${x.name}, ${8 + next(25)})`);
    return {
      call: at.call('add', x.name, `nn.linear(${at.layer()}, ${hidden}, ${width})`),
      shape: x.shape,
    };
  },
  (at, x, next) => {
    const width = last(x.shape);
    if (typeof width !== 'number') return undefined;
    const gate = `nn.linear(${at.layer()}, ${x.name}, ${width})`;
    const other = x.shape.length > 1 && next(2) === 0 ? at.call('softmax', x.name, 0) : x.name;
    return { call: at.call('mul', at.call('sigmoid', gate), other), shape: x.shape };
  },
  (at, x) => {
    if (x.shape.length !== 2) return undefined;
    const [rows] = x.shape as [Dim];
    return { call: at.call('einsum', `'ab,cb->ac'`, x.name, x.name), shape: [rows, rows] };
  },
  (at, x, next) => {
    if (x.shape.length !== 3) return undefined;
    const [a, b, c] = x.shape as [Dim, Dim, Dim];
    const [equation, shape] = [
      [`'sia,sjb->ijab'`, [b, b, c, c]],
      [`'ikc,jkc->ijc'`, [a, a, c]],
      [`'kic,kjc->ijc'`, [b, b, c]],
      [`'abc,abd->acd'`, [a, c, c]],
    ][next(4)] as [string, Shape];
    return { call: at.call('einsum', equation, x.name, x.name), shape };
  },
  (at, x, next) => {
    const width = last(x.shape);
    if (x.shape.length < 2 || typeof width !== 'number') return undefined;
    const out = 1 + next(5);
    const weight = at.parameter([width, out]);
    return {
      call: at.call('einsum', `'...a,ab->...b'`, x.name, weight),
      shape: [...x.shape.slice(0, -1), out],
    };
  },
  (at, x, next) => {
    const [n, channels, rows, columns] = x.shape;
    if (x.shape.length !== 4 || typeof channels !== 'number') return undefined;
    const kernel = [1, 3, 3][next(3)] as number;
    const depthwise = next(3) === 0;
    const out = depthwise ? channels : 1 + next(6);
    const groups = depthwise ? `, groups: ${channels}` : '';
    return {
      call: `nn.conv2d(${at.layer()}, ${x.name}, ${out}, ${kernel}, { padding: ${(kernel - 1) / 2}${groups} })`,
      shape: [n, out, rows, columns] as Shape,
    };
  },
  (at, x, next) => {
    const [n, channels, rows, columns] = x.shape;
    if (x.shape.length !== 4 || typeof rows !== 'number' || typeof columns !== 'number') return undefined;
    if (typeof channels !== 'number' || rows < 2 || columns < 2) return undefined;
    const halved = [n, channels, rows >> 1, columns >> 1] as Shape;
    const pools = [
      at.call('maxPool2d', x.name, '{ kernel: 2 }'),
      at.call('avgPool2d', x.name, '{ kernel: 2 }'),
    ];
    return { call: pools[next(2)] as string, shape: halved };
  },
  (at, x) => {
    const [n, channels, rows, columns] = x.shape as [Dim, Dim, Dim, Dim];
    if (x.shape.length !== 4) return undefined;
    const doubled = [n, channels, mulDims(2, rows), mulDims(2, columns)];
    return { call: at.call('upsampleNearest2d', x.name, '{ scale: 2 }'), shape: doubled };
  },
  (at, x, next) => {
    const channels = x.shape[1];
    if (x.shape.length < 3 || typeof channels !== 'number') return undefined;
    const divisors = [1, 2, 3, 4, 5, 6].filter((count) => channels % count === 0);
    const groups = divisors[next(divisors.length)] as number;
    return { call: `nn.groupNorm(${at.layer()}, ${x.name}, { groups: ${groups} })`, shape: x.shape };
  },
];

function broadcastsInto(from: Shape, to: Shape): boolean {
  const lead = to.length - from.length;
  return lead >= 0 && from.every((dim, axis) => dim === 1 || dim === to[axis + lead]);
}
