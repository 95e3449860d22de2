import type { Dim } from '../dims.ts';
import type { Attrs, TensorType } from '../node.ts';
import { pattern } from '../pattern.ts';
import { LOWEST_F32 } from './mask.ts';
import type { OpDef, Split } from './op.ts';
import { axes, axisAttr, axisNames, count, forEachLine, numberAttr, promote, SUM, take } from './support.ts';

type Row = readonly [
  summary: string,
  integer: boolean,
  initial: number,
  step: (a: number, b: number) => number,
];

const REDUCTIONS: Readonly<Record<string, Row>> = {
  sum: ['sum along an axis', true, 0, (a, b) => a + b],
  mean: ['arithmetic mean along an axis', false, 0, (a, b) => a + b],
  amax: ['largest element along an axis', true, Number.NEGATIVE_INFINITY, Math.max],
  amin: ['smallest element along an axis', true, Number.POSITIVE_INFINITY, Math.min],
};

function splitOf(name: string, attrs: Attrs, [x]: readonly TensorType[]): Split {
  if (name === 'sum') return SUM;
  if (name === 'mean') {
    const value = x?.shape[numberAttr(attrs, 'axis')] as Dim;
    return {
      ...SUM,
      part: { op: 'sum', attrs, operands: 1 },
      finish: { op: 'divScalar', attrs: { value }, operands: [] },
    };
  }
  return name === 'amax'
    ? { combine: 'maximum', init: LOWEST_F32 }
    : { combine: 'minimum', init: -LOWEST_F32 };
}

export const reduceOps: readonly OpDef[] = Object.entries(REDUCTIONS).map(
  ([name, [summary, integer, initial, step]]) => ({
    name,
    summary,
    defaults: { keepdims: false },
    infer(operands, attrs) {
      const [x] = take(name, operands, 1);
      const axis = axisAttr(name, attrs, x.shape);
      const shape = attrs.keepdims
        ? x.shape.map((extent, i) => (i === axis ? 1 : extent))
        : x.shape.filter((_, i) => i !== axis);
      return { shape, dtype: integer ? promote(x) : 'f32' };
    },
    access(operands, attrs, out) {
      const [x] = take(name, operands, 1);
      const axis = numberAttr(attrs, 'axis');
      const names = axisNames(x.shape.length);
      const kept = attrs.keepdims
        ? names.map((label, i) => (i === axis ? '1' : label))
        : names.filter((_, i) => i !== axis);
      return pattern(`${axes(names)} -> ${axes(kept)}`, [x.shape], out.shape);
    },
    split: (operands, attrs) => splitOf(name, attrs, operands),
    flops: (operands) => count(operands[0]?.shape ?? []),
    reference(operands, attrs, shape) {
      const [x] = take(name, operands, 1);
      const out = new Float64Array(count(shape));
      forEachLine(x.shape, numberAttr(attrs, 'axis'), (line, start, stride, length) => {
        let value = initial;
        for (let i = 0; i < length; i++) value = step(value, x.data[start + i * stride] as number);
        out[line] = name === 'mean' ? value / length : value;
      });
      return out;
    },
  }),
);
