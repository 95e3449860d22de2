import { addDims, printShape } from '../dims.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { axes, axisAttr, axisNames, count, numberAttr, promote } from './support.ts';

const concat: OpDef = {
  name: 'concat',
  summary: 'operands one after another along an axis',
  infer(operands, attrs) {
    const first = operands[0];
    check(first !== undefined, 'concat', () => 'expected at least one operand, got none');
    const axis = axisAttr('concat', attrs, first.shape);
    for (const { shape } of operands) {
      check(
        shape.length === first.shape.length &&
          shape.every((extent, i) => i === axis || extent === first.shape[i]),
        'concat',
        () => `shapes must agree outside axis ${axis}: ${printShape(first.shape)} and ${printShape(shape)}`,
      );
    }
    const total = addDims(...operands.map((operand) => operand.shape[axis] as number | string));
    return {
      shape: first.shape.map((extent, i) => (i === axis ? total : extent)),
      dtype: promote(...operands),
    };
  },
  /** Along the axis an element comes from one operand or another: it cannot be cut there. */
  access(operands, attrs, out) {
    const axis = numberAttr(attrs, 'axis');
    const names = axisNames(out.shape.length);
    const along = (label: string): string => axes(names.map((name, i) => (i === axis ? `${label}!` : name)));
    return pattern(
      `${operands.map((_, i) => along(`part${i}`)).join(', ')} -> ${along('joined')}`,
      operands.map((operand) => operand.shape),
      out.shape,
    );
  },
  flops: () => 0,
  reference(operands, attrs, shape) {
    const axis = numberAttr(attrs, 'axis');
    const out = new Float64Array(count(shape));
    const row = count(shape.slice(axis));
    let at = 0;
    for (const operand of operands) {
      const run = count(operand.shape.slice(axis));
      for (let outer = 0; outer * row < out.length; outer++) {
        out.set(operand.data.subarray(outer * run, (outer + 1) * run), outer * row + at);
      }
      at += run;
    }
    return out;
  },
};

export const concatOps: readonly OpDef[] = [concat];
