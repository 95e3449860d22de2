import { addDims, printShape } from '../dims.ts';
import type { Attrs } from '../node.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { axes, axisNames, count, forEachOffset, numberAttr, numbersAttr, take } from './support.ts';

const widths = (attrs: Attrs): readonly (readonly number[])[] =>
  ['before', 'after'].map((name) => numbersAttr(attrs, name));

const pad: OpDef = {
  name: 'pad',
  summary: 'elements of one value before and after every axis',
  defaults: { value: 0 },
  infer(operands, attrs) {
    const [x] = take('pad', operands, 1);
    const sides = widths(attrs);
    check(
      sides.every(
        (side) => side.length === x.shape.length && side.every((n) => Number.isInteger(n) && n >= 0),
      ),
      'pad',
      () =>
        `expected a count ≥ 0 before and after every axis of ${printShape(x.shape)}, got [${sides.join('] and [')}]`,
    );
    const shape = x.shape.map((extent, axis) =>
      addDims(extent, ...sides.map((side) => side[axis] as number)),
    );
    const whole = x.dtype === 'i32' && Number.isInteger(numberAttr(attrs, 'value'));
    return { shape, dtype: whole ? 'i32' : 'f32' };
  },
  /** Only axes that stay as they are can be cut: the ends of the others differ from their middle. */
  access(operands, attrs, out) {
    const names = axisNames(out.shape.length);
    const padded = names.map((_, axis) => widths(attrs).some((side) => side[axis] !== 0));
    const from = names.map((name, axis) => (padded[axis] ? `${name}!` : name));
    const to = names.map((name, axis) => (padded[axis] ? `padded${axis}!` : name));
    return pattern(
      `${axes(from)} -> ${axes(to)}`,
      operands.map((operand) => operand.shape),
      out.shape,
    );
  },
  flops: () => 0,
  reference(operands, attrs, shape) {
    const [x] = take('pad', operands, 1);
    const [before] = widths(attrs) as [readonly number[]];
    const out = new Float64Array(count(shape)).fill(Math.fround(numberAttr(attrs, 'value')));
    const strides = shape.map((_, axis) => count(shape.slice(axis + 1)));
    const first = strides.reduce((sum, stride, axis) => sum + stride * (before[axis] as number), 0);
    forEachOffset(x.shape, [strides], (flat, [offset]) => {
      out[first + (offset as number)] = x.data[flat] as number;
    });
    return out;
  },
};

export const padOps: readonly OpDef[] = [pad];
