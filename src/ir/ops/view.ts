import { contiguous, expandLayout, type Layout, permuteLayout, sliceLayout } from '../../layout/layout.ts';
import { printShape } from '../dims.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef, type RefTensor } from './op.ts';
import { reshape } from './reshape.ts';
import {
  axes,
  axisAttr,
  axisNames,
  count,
  dimAttr,
  dimsAttr,
  forEachOffset,
  numberAttr,
  numbersAttr,
  take,
} from './support.ts';

/** The elements that a layout over a row-major tensor addresses. */
function gather(operand: RefTensor, layout: Layout): Float64Array {
  const out = new Float64Array(count(layout.shape));
  forEachOffset(layout.shape, [layout.strides], (flat, [offset]) => {
    out[flat] = operand.data[layout.offset + (offset as number)] as number;
  });
  return out;
}

const permute: OpDef = {
  name: 'permute',
  summary: 'axes in another order',
  infer(operands, attrs) {
    const [x] = take('permute', operands, 1);
    const order = numbersAttr(attrs, 'axes');
    check(
      order.length === x.shape.length && x.shape.every((_, axis) => order.includes(axis)),
      'permute',
      () => `[${order.join(', ')}] is not an order of the axes of ${printShape(x.shape)}`,
    );
    return { shape: order.map((axis) => x.shape[axis] as number | string), dtype: x.dtype };
  },
  access(operands, attrs, out) {
    const [x] = take('permute', operands, 1);
    const names = axisNames(x.shape.length);
    const permuted = numbersAttr(attrs, 'axes').map((axis) => names[axis] as string);
    return pattern(`${axes(names)} -> ${axes(permuted)}`, [x.shape], out.shape);
  },
  flops: () => 0,
  layout: (operand, attrs) => permuteLayout(operand, numbersAttr(attrs, 'axes')),
  reference(operands, attrs) {
    const [x] = take('permute', operands, 1);
    return gather(x, permuteLayout(contiguous(x.shape), numbersAttr(attrs, 'axes')));
  },
};

const slice: OpDef = {
  name: 'slice',
  summary: 'elements start … start + length of one axis',
  infer(operands, attrs) {
    const [x] = take('slice', operands, 1);
    const axis = axisAttr('slice', attrs, x.shape);
    const [start, length, extent] = [dimAttr(attrs, 'start'), dimAttr(attrs, 'length'), x.shape[axis]];
    const outside =
      (typeof start === 'number' && start < 0) ||
      (typeof length === 'number' && length < 0) ||
      (typeof start === 'number' &&
        typeof length === 'number' &&
        typeof extent === 'number' &&
        start + length > extent);
    check(
      !outside,
      'slice',
      () => `start ${start}, length ${length} lies outside axis ${axis} of ${printShape(x.shape)}`,
    );
    return { shape: x.shape.map((d, i) => (i === axis ? length : d)), dtype: x.dtype };
  },
  access(operands, attrs, out) {
    const [x] = take('slice', operands, 1);
    const along = (label: string): string =>
      axes(axisNames(x.shape.length).map((name, i) => (i === numberAttr(attrs, 'axis') ? label : name)));
    return pattern(`${along('from!')} -> ${along('to')}`, [x.shape], out.shape, { starts: { to: 'start' } });
  },
  resize: (attrs, shape) => ({ ...attrs, length: shape[numberAttr(attrs, 'axis')] as number | string }),
  flops: () => 0,
  layout: (operand, attrs, shape) => {
    const axis = numberAttr(attrs, 'axis');
    const start = numberAttr(attrs, 'start');
    return sliceLayout(operand, axis, start, start + (shape[axis] as number));
  },
  reference(operands, attrs, shape) {
    const [x] = take('slice', operands, 1);
    const axis = numberAttr(attrs, 'axis');
    const start = numberAttr(attrs, 'start');
    return gather(x, sliceLayout(contiguous(x.shape), axis, start, start + (shape[axis] as number)));
  },
};

const expand: OpDef = {
  name: 'expand',
  summary: 'repeats along axes of extent 1, without copying',
  infer(operands, attrs) {
    const [x] = take('expand', operands, 1);
    const shape = dimsAttr(attrs, 'shape');
    const lead = shape.length - x.shape.length;
    check(
      lead >= 0 && x.shape.every((extent, i) => extent === 1 || extent === shape[i + lead]),
      'expand',
      () => `cannot expand ${printShape(x.shape)} to ${printShape(shape)}`,
    );
    return { shape, dtype: x.dtype };
  },
  access(operands, _attrs, out) {
    const [x] = take('expand', operands, 1);
    const names = axisNames(out.shape.length);
    return pattern(
      `${axes(names.slice(names.length - x.shape.length))} -> ${axes(names)}`,
      [x.shape],
      out.shape,
    );
  },
  resize: (attrs, shape) => ({ ...attrs, shape }),
  flops: () => 0,
  layout: (operand, _attrs, shape) => expandLayout(operand, shape),
  reference(operands, _attrs, shape) {
    const [x] = take('expand', operands, 1);
    const layout = expandLayout(contiguous(x.shape), shape);
    check(
      layout !== undefined,
      'expand',
      () => `cannot expand ${printShape(x.shape)} to ${printShape(shape)}`,
    );
    return gather(x, layout);
  },
};

export const viewOps: readonly OpDef[] = [reshape, permute, slice, expand];
