import type { Shape } from '../dims.ts';
import { pattern } from '../pattern.ts';
import type { OpDef } from './op.ts';
import { axes, axisAttr, axisNames, count, forEachLine, markWhole, numberAttr, take } from './support.ts';

/** `finish` makes the result from an element less the maximum of its line, and the sum of exponentials of such. */
const overLines = (
  name: string,
  summary: string,
  finish: (shifted: number, sum: number) => number,
): OpDef => ({
  name,
  summary,
  infer(operands, attrs) {
    const [x] = take(name, operands, 1);
    axisAttr(name, attrs, x.shape);
    return { shape: x.shape, dtype: 'f32' };
  },
  access(operands, attrs, out) {
    const names = axes(markWhole(axisNames(out.shape.length), numberAttr(attrs, 'axis')));
    return pattern(
      `${names} -> ${names}`,
      operands.map((operand) => operand.shape),
      out.shape,
    );
  },
  flops: (_operands, _attrs, out) => 20 * count(out.shape),
  // Elements are read a last time when the maximum and the sum of their line are known.
  inPlace: [0],
  /** Maximum and sum of every line. */
  scratch(_operands, attrs, out) {
    const axis = numberAttr(attrs, 'axis');
    const lines: Shape = out.shape.filter((_, i) => i !== axis);
    return [lines, lines];
  },
  reference(operands, attrs, shape) {
    const [x] = take(name, operands, 1);
    const out = new Float64Array(x.data.length);
    forEachLine(shape, numberAttr(attrs, 'axis'), (_line, start, stride, length) => {
      let max = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < length; i++) max = Math.max(max, x.data[start + i * stride] as number);
      let sum = 0;
      for (let i = 0; i < length; i++) sum += Math.exp((x.data[start + i * stride] as number) - max);
      for (let i = 0; i < length; i++) {
        const at = start + i * stride;
        out[at] = finish((x.data[at] as number) - max, sum);
      }
    });
    return out;
  },
});

export const softmaxOps: readonly OpDef[] = [
  overLines(
    'softmax',
    'exponentials along an axis, scaled to sum 1',
    (shifted, sum) => Math.exp(shifted) / sum,
  ),
  overLines('logSoftmax', 'logarithms of softmax along an axis', (shifted, sum) => shifted - Math.log(sum)),
];
