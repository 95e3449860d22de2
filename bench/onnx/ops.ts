import { isTextAttr, type OpNode, type TensorType } from '../../src/ir/node.ts';
import { numberAttr, numbersAttr } from '../../src/ir/ops/support.ts';
import { type Attributes, type Builder, bytesOf } from './builder.ts';
import { translateImageOp } from './image-ops.ts';

/** An operand: the name of its ONNX value, and its type with bound extents. */
export interface Operand {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: TensorType['dtype'];
}

/** The lowest finite float32: what masked scores become. */
const LOWEST = -3.4028234663852886e38;

/** Our op → the standard op of the same meaning. */
const UNARY: Readonly<Record<string, string>> = {
  neg: 'Neg',
  abs: 'Abs',
  relu: 'Relu',
  sqrt: 'Sqrt',
  exp: 'Exp',
  log: 'Log',
  sin: 'Sin',
  cos: 'Cos',
  tanh: 'Tanh',
  erf: 'Erf',
  sigmoid: 'Sigmoid',
  reciprocal: 'Reciprocal',
  copy: 'Identity',
};
const BINARY: Readonly<Record<string, string>> = {
  add: 'Add',
  sub: 'Sub',
  mul: 'Mul',
  div: 'Div',
  pow: 'Pow',
  maximum: 'Max',
  minimum: 'Min',
};
const SCALAR: Readonly<Record<string, string>> = {
  addScalar: 'Add',
  mulScalar: 'Mul',
  divScalar: 'Div',
  powScalar: 'Pow',
  maximumScalar: 'Max',
  minimumScalar: 'Min',
};
/** The number comes first. */
const REVERSED_SCALAR: Readonly<Record<string, string>> = { rsubScalar: 'Sub', rdivScalar: 'Div' };
const REDUCTIONS: Readonly<Record<string, string>> = {
  sum: 'ReduceSum',
  mean: 'ReduceMean',
  amax: 'ReduceMax',
  amin: 'ReduceMin',
};

/** Elements of `TensorProto.DataType` for Cast. */
const CAST_TO = { f32: 1, i32: 6 } as const;

/**
 * Adds the ONNX nodes that compute an op and returns the name of its value; undefined for an op that has no translation.
 * Extents are numbers: the graph is specialised.
 */
export function translateOp(node: OpNode, operands: readonly Operand[], to: Builder): string | undefined {
  const { op, attrs } = node;
  const given = operands.map(({ name }) => name);
  /** Operands with the element type of the result. */
  const typed = (list = operands): string[] => list.map((operand) => cast(operand, node.dtype, to));
  const [x] = operands;
  const value = (): string => scalar(numberAttr(attrs, 'value'), node.dtype, to);

  const unary = UNARY[op];
  if (unary !== undefined) return to.add(unary, typed());
  const binary = BINARY[op];
  if (binary !== undefined) return to.add(binary, typed());
  const withNumber = SCALAR[op];
  if (withNumber !== undefined) return to.add(withNumber, [...typed(), value()]);
  const reversed = REVERSED_SCALAR[op];
  if (reversed !== undefined) return to.add(reversed, [value(), ...typed()]);
  const reduction = REDUCTIONS[op];
  if (reduction !== undefined)
    return to.add(reduction, [...typed(), to.int64([numberAttr(attrs, 'axis')])], {
      keepdims: { int: attrs.keepdims ? 1 : 0 },
    });

  switch (op) {
    case 'rsqrt':
      return to.add('Reciprocal', [to.add('Sqrt', typed())]);
    case 'silu': {
      const [float] = typed() as [string];
      return to.add('Mul', [float, to.add('Sigmoid', [float])]);
    }
    case 'expSub':
      return to.add('Exp', [to.add('Sub', typed())]);
    case 'gelu':
      return gelu((typed() as [string])[0], attrs.tanh === true, to);
    case 'geglu': {
      const [half, gate] = to.addMany('Split', typed(), 2, {
        axis: { int: -1 },
        num_outputs: { int: 2 },
      }) as [string, string];
      return to.add('Mul', [half, gelu(gate, false, to)]);
    }
    case 'clamp':
      return to.add('Clip', [
        ...typed(),
        scalar(numberAttr(attrs, 'min'), node.dtype, to),
        scalar(numberAttr(attrs, 'max'), node.dtype, to),
      ]);
    case 'leakyRelu':
      return to.add('LeakyRelu', typed(), { alpha: { float: numberAttr(attrs, 'slope') } });
    case 'where': {
      const [condition, ...branches] = operands as readonly [Operand, ...Operand[]];
      const isTrue = to.add('Cast', [condition.name], { to: { int: 9 } });
      return to.add('Where', [isTrue, ...typed(branches)]);
    }
    case 'matmul':
      return to.add('MatMul', given);
    case 'linear':
      return linear(operands, attrs.transposed === true, to);
    case 'einsum': {
      const equation = attrs.equation;
      return to.add('Einsum', given, {
        equation: { text: isTextAttr(equation) ? equation.text : '' },
      });
    }
    case 'embedding':
      return to.add('Gather', given);
    case 'softmax':
      return to.add('Softmax', given, axisOf(node));
    case 'logSoftmax':
      return to.add('LogSoftmax', given, axisOf(node));
    case 'layerNorm':
      return to.add('LayerNormalization', given, {
        axis: { int: -1 },
        epsilon: { float: numberAttr(attrs, 'epsilon') },
      });
    case 'rmsNorm':
      return rmsNorm(given as [string, string], numberAttr(attrs, 'epsilon'), to);
    case 'causalMask':
      return to.add('Add', [given[0] as string, causal(node, x as Operand, to)]);
    case 'rotary':
      return rotary(operands, attrs.interleaved === true, to);
    case 'reshape':
      return to.add('Reshape', [...given, to.int64(node.shape as number[])]);
    case 'permute':
      return to.add('Transpose', given, { perm: { ints: numbersAttr(attrs, 'axes') } });
    case 'expand':
      return to.add('Expand', [...given, to.int64(node.shape as number[])]);
    case 'slice': {
      const start = numberAttr(attrs, 'start');
      return to.add('Slice', [
        ...given,
        to.int64([start]),
        to.int64([start + numberAttr(attrs, 'length')]),
        to.int64([numberAttr(attrs, 'axis')]),
      ]);
    }
    case 'concat':
      return to.add('Concat', typed(), axisOf(node));
    case 'pad':
      return to.add('Pad', [
        ...typed(),
        to.int64([...numbersAttr(attrs, 'before'), ...numbersAttr(attrs, 'after')]),
        value(),
      ]);
    case 'constant':
      return to.float(node.shape as number[], numbersAttr(attrs, 'values'));
    case 'full':
      return to.add('Expand', [value(), to.int64(node.shape as number[])]);
    case 'iota': {
      const [length] = node.shape as readonly [number];
      const [start, step] = [numberAttr(attrs, 'start'), numberAttr(attrs, 'step')];
      return to.int32(
        [length],
        Array.from({ length }, (_, i) => (start + i) * step),
      );
    }
    default:
      return x === undefined ? undefined : translateImageOp(node, [x, ...operands.slice(1)], to);
  }
}

const axisOf = ({ attrs }: OpNode): Attributes => ({ axis: { int: numberAttr(attrs, 'axis') } });

const cast = ({ name, dtype }: Operand, wanted: TensorType['dtype'], to: Builder): string =>
  dtype === wanted ? name : to.add('Cast', [name], { to: { int: CAST_TO[wanted] } });

const scalar = (value: number, dtype: TensorType['dtype'], to: Builder): string =>
  dtype === 'i32' ? to.int32([], [value]) : to.float([], [value]);

const gelu = (x: string, tanh: boolean, to: Builder): string =>
  to.add('Gelu', [x], { approximate: { text: tanh ? 'tanh' : 'none' } });

/** The weight is stored as [out, in] unless it is transposed; ORT folds a transpose of a constant. */
function linear(operands: readonly Operand[], transposed: boolean, to: Builder): string {
  const [x, weight, bias] = operands as readonly [Operand, Operand, Operand?];
  if (x.shape.length === 2)
    return to.add('Gemm', bias ? [x.name, weight.name, bias.name] : [x.name, weight.name], {
      transB: { int: transposed ? 0 : 1 },
    });
  const right = transposed ? weight.name : to.add('Transpose', [weight.name], { perm: { ints: [1, 0] } });
  const product = to.add('MatMul', [x.name, right]);
  return bias ? to.add('Add', [product, bias.name]) : product;
}

function rmsNorm([x, weight]: readonly [string, string], epsilon: number, to: Builder): string {
  const squares = to.add('ReduceMean', [to.add('Mul', [x, x]), to.int64([-1])], { keepdims: { int: 1 } });
  const root = to.add('Sqrt', [to.add('Add', [squares, to.float([], [epsilon])])]);
  return to.add('Mul', [to.add('Div', [x, root]), weight]);
}

/** What is added to scores: 0, and the lowest number where the column lies after the row. */
function causal({ attrs }: OpNode, { shape }: Operand, to: Builder): string {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const shift = numberAttr(attrs, 'rowStart') - numberAttr(attrs, 'columnStart');
  const mask = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const seen = Math.min(Math.max(row + shift + 1, 0), columns);
    mask.fill(LOWEST, row * columns + seen, (row + 1) * columns);
  }
  return to.constant('float32', [rows, columns], bytesOf(mask));
}

/** Pairs (a, b) of channels become (a·cos − b·sin, b·cos + a·sin). */
function rotary(operands: readonly Operand[], interleaved: boolean, to: Builder): string {
  const [x, cos, sin] = operands as readonly [Operand, Operand, Operand];
  const half = (x.shape.at(-1) as number) / 2;
  const paired = interleaved ? [...x.shape.slice(0, -1), half, 2] : [...x.shape.slice(0, -1), 2, half];
  const pairs = to.add('Reshape', [x.name, to.int64(paired)]);
  const axis = interleaved ? paired.length - 1 : paired.length - 2;
  const halves = to.addMany('Split', [pairs], 2, { axis: { int: axis }, num_outputs: { int: 2 } });
  const [a, b] = halves.map((part) => to.add('Squeeze', [part, to.int64([axis])])) as [string, string];
  const times = (left: string, right: Operand): string => to.add('Mul', [left, right.name]);
  const turned = [
    to.add('Sub', [times(a, cos), times(b, sin)]),
    to.add('Add', [times(b, cos), times(a, sin)]),
  ].map((part) => to.add('Unsqueeze', [part, to.int64([axis])]));
  const joined = to.add('Concat', turned, { axis: { int: axis } });
  return to.add('Reshape', [joined, to.int64(x.shape)]);
}
