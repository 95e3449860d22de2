import { printShape, type Shape } from '../dims.ts';
import type { TensorType } from '../node.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { axes, axisNames, count, forEachLine, numberAttr, take } from './support.ts';

/** Rows, and parameters of one element for each of theirs. */
export function inferNorm(op: string, x: TensorType, ...parameters: readonly TensorType[]): TensorType {
  check(x.shape.length > 0, op, () => 'expected at least one axis, got a scalar');
  for (const { shape } of parameters) {
    check(
      shape.length === 1 && shape[0] === x.shape.at(-1),
      op,
      () => `expected parameters [${x.shape.at(-1)}] for ${printShape(x.shape)}, got ${printShape(shape)}`,
    );
  }
  return { shape: x.shape, dtype: 'f32' };
}

const normAccess: NonNullable<OpDef['access']> = (operands, _attrs, out) => {
  const row = axes(axisNames(out.shape.length - 1), 'channel!');
  const sides = operands.map((_, i) => (i === 0 ? row : 'channel!'));
  return pattern(
    `${sides.join(', ')} -> ${row}`,
    operands.map((operand) => operand.shape),
    out.shape,
  );
};

const rows = (out: TensorType): Shape => out.shape.slice(0, -1);

const layerNorm: OpDef = {
  name: 'layerNorm',
  summary: 'last axis shifted to mean 0 and scaled to variance 1, then weight and bias',
  defaults: { epsilon: 1e-5 },
  infer: (operands) => inferNorm('layerNorm', ...take('layerNorm', operands, 3)),
  access: normAccess,
  flops: (_operands, _attrs, out) => 8 * count(out.shape),
  inPlace: [0],
  /** Mean and reciprocal standard deviation of every row. */
  scratch: (_operands, _attrs, out) => [rows(out), rows(out)],
  reference(operands, attrs, shape) {
    const [x, weight, bias] = take('layerNorm', operands, 3);
    const out = new Float64Array(x.data.length);
    forEachLine(shape, shape.length - 1, (_line, start, _stride, length) => {
      const line = x.data.subarray(start, start + length);
      const mean = line.reduce((a, b) => a + b, 0) / length;
      const variance = line.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length;
      const scale = 1 / Math.sqrt(variance + numberAttr(attrs, 'epsilon'));
      for (let i = 0; i < length; i++) {
        out[start + i] =
          ((line[i] as number) - mean) * scale * (weight.data[i] as number) + (bias.data[i] as number);
      }
    });
    return out;
  },
};

const rmsNorm: OpDef = {
  name: 'rmsNorm',
  summary: 'last axis scaled to root mean square 1, then weight',
  defaults: { epsilon: 1e-5 },
  infer: (operands) => inferNorm('rmsNorm', ...take('rmsNorm', operands, 2)),
  access: normAccess,
  flops: (_operands, _attrs, out) => 4 * count(out.shape),
  inPlace: [0],
  /** Reciprocal root mean square of every row. */
  scratch: (_operands, _attrs, out) => [rows(out)],
  reference(operands, attrs, shape) {
    const [x, weight] = take('rmsNorm', operands, 2);
    const out = new Float64Array(x.data.length);
    forEachLine(shape, shape.length - 1, (_line, start, _stride, length) => {
      const line = x.data.subarray(start, start + length);
      const square = line.reduce((sum, value) => sum + value * value, 0) / length;
      const scale = 1 / Math.sqrt(square + numberAttr(attrs, 'epsilon'));
      for (let i = 0; i < length; i++) {
        out[start + i] = (line[i] as number) * scale * (weight.data[i] as number);
      }
    });
    return out;
  },
};

export const normOps: readonly OpDef[] = [layerNorm, rmsNorm];
