import { divDims, printShape } from '../dims.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { axes, axisNames, count, take } from './support.ts';

const rotary: OpDef = {
  name: 'rotary',
  summary:
    'pairs of channels rotated by the angle of their position; pairs are halves, or neighbours when interleaved',
  defaults: { interleaved: false },
  infer(operands) {
    const [x, ...tables] = take('rotary', operands, 3);
    const half = divDims(x.shape.at(-1) ?? 1, 2);
    check(
      x.shape.length >= 2 && half !== undefined,
      'rotary',
      () => `expected [..., positions, channels] with an even number of channels, got ${printShape(x.shape)}`,
    );
    for (const { shape } of tables) {
      check(
        shape.length === 2 && shape[0] === x.shape.at(-2) && shape[1] === half,
        'rotary',
        () =>
          `expected cos and sin [${x.shape.at(-2)}, ${half}] for ${printShape(x.shape)}, got ${printShape(shape)}`,
      );
    }
    return { shape: x.shape, dtype: 'f32' };
  },
  access(operands, _attrs, out) {
    const row = axes(axisNames(out.shape.length - 2), 'position channel!');
    return pattern(
      `${row}, position pair!, position pair! -> ${row}`,
      operands.map((operand) => operand.shape),
      out.shape,
    );
  },
  flops: (_operands, _attrs, out) => 3 * count(out.shape),
  reference(operands, attrs, shape) {
    const [x, cos, sin] = take('rotary', operands, 3);
    const [positions, channels] = shape.slice(-2) as [number, number];
    const half = channels / 2;
    const out = new Float64Array(x.data.length);
    for (let row = 0; row * channels < out.length; row++) {
      const angle = (row % positions) * half;
      for (let pair = 0; pair < half; pair++) {
        const first = row * channels + (attrs.interleaved ? 2 * pair : pair);
        const second = attrs.interleaved ? first + 1 : first + half;
        const [a, b] = [x.data[first] as number, x.data[second] as number];
        const [c, s] = [cos.data[angle + pair] as number, sin.data[angle + pair] as number];
        out[first] = a * c - b * s;
        out[second] = b * c + a * s;
      }
    }
    return out;
  },
};

export const rotaryOps: readonly OpDef[] = [rotary];
