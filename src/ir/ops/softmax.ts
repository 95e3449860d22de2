import type { Shape } from '../dims.ts';
import type { Attrs } from '../node.ts';
import { pattern } from '../pattern.ts';
import { causalMask } from './mask.ts';
import type { OpDef } from './op.ts';
import {
  axes,
  axisAttr,
  axisNames,
  count,
  forEachLine,
  markWhole,
  numberAttr,
  seenElements,
  take,
} from './support.ts';

/** For an element of a line, its exponential above all. */
const FLOPS = 20;

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
  flops: (_operands, _attrs, out) => FLOPS * count(out.shape),
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

const softmax = overLines(
  'softmax',
  'exponentials along an axis, scaled to sum 1',
  (shifted, sum) => Math.exp(shifted) / sum,
);

const alongColumns = (shape: Shape): Attrs => ({ axis: shape.length - 1 });

/** Made of what it does in one kernel: the mask, then softmax along its columns. */
const causalSoftmax: OpDef = {
  ...softmax,
  name: 'causalSoftmax',
  summary: 'softmax along the columns up to the row, 0 after it',
  defaults: { rowStart: 0, columnStart: 0 },
  infer(operands, attrs) {
    take('causalSoftmax', operands, 1);
    return causalMask.infer(operands, attrs);
  },
  access(operands, _attrs, out) {
    const names = axes(axisNames(out.shape.length - 2), 'row column!');
    return pattern(
      `${names} -> ${names}`,
      operands.map((operand) => operand.shape),
      out.shape,
      { starts: { row: 'rowStart', column: 'columnStart' } },
    );
  },
  flops(_operands, attrs, { shape }) {
    const [rows, columns] = shape.slice(-2) as [number, number];
    const first = numberAttr(attrs, 'rowStart') - numberAttr(attrs, 'columnStart') + 1;
    return FLOPS * count(shape.slice(0, -2)) * seenElements(rows, columns, first);
  },
  scratch: (operands, _attrs, out) => softmax.scratch?.(operands, alongColumns(out.shape), out) ?? [],
  reference(operands, attrs, shape) {
    const masked = causalMask.reference(operands, attrs, shape);
    return softmax.reference([{ shape, data: masked }], alongColumns(shape), shape);
  },
};

export const softmaxOps: readonly OpDef[] = [
  softmax,
  causalSoftmax,
  overLines('logSoftmax', 'logarithms of softmax along an axis', (shifted, sum) => shifted - Math.log(sum)),
];
