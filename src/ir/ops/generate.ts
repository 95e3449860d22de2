import { printShape, sizeOf } from '../dims.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { axes, axisNames, count, dimAttr, dimsAttr, numberAttr, numbersAttr } from './support.ts';

const iota: OpDef = {
  name: 'iota',
  summary: 'i32 [length] with element i = (start + i) · step',
  defaults: { start: 0, step: 1 },
  infer: (_operands, attrs) => ({ shape: [dimAttr(attrs, 'length')], dtype: 'i32' }),
  access: (_operands, _attrs, out) => pattern(' -> i', [], out.shape, { starts: { i: 'start' } }),
  resize: (attrs, shape) => ({ ...attrs, length: shape[0] as number | string }),
  flops: () => 0,
  reference(_operands, attrs, shape) {
    const start = numberAttr(attrs, 'start');
    const step = numberAttr(attrs, 'step');
    return Float64Array.from({ length: count(shape) }, (_, i) => (start + i) * step);
  },
};

const full: OpDef = {
  name: 'full',
  summary: 'the same number everywhere',
  infer: (_operands, attrs) => ({ shape: dimsAttr(attrs, 'shape'), dtype: 'f32' }),
  access: (_operands, _attrs, out) => pattern(` -> ${axes(axisNames(out.shape.length))}`, [], out.shape),
  resize: (attrs, shape) => ({ ...attrs, shape }),
  flops: () => 0,
  reference: (_operands, attrs, shape) =>
    new Float64Array(count(shape)).fill(Math.fround(numberAttr(attrs, 'value'))),
};

/** No access pattern: its values are listed, so a part of it would be another constant. */
const constant: OpDef = {
  name: 'constant',
  summary: 'numbers written in the model',
  infer(_operands, attrs) {
    const shape = dimsAttr(attrs, 'shape');
    const values = numbersAttr(attrs, 'values');
    check(
      sizeOf(shape) === values.length,
      'constant',
      () => `${printShape(shape)} has ${sizeOf(shape)} elements, got ${values.length} values`,
    );
    return { shape, dtype: 'f32' };
  },
  flops: () => 0,
  reference: (_operands, attrs) => Float64Array.from(numbersAttr(attrs, 'values'), Math.fround),
};

export const generateOps: readonly OpDef[] = [iota, full, constant];
