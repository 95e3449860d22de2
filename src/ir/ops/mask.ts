import { printShape } from '../dims.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { axes, axisNames, count, numberAttr, take } from './support.ts';

/** The lowest finite float32: what masked scores become. */
export const LOWEST_F32 = -3.4028234663852886e38;

export const causalMask: OpDef = {
  name: 'causalMask',
  summary: 'the lowest finite number where the column lies after the row',
  defaults: { rowStart: 0, columnStart: 0 },
  infer(operands) {
    const [x] = take('causalMask', operands, 1);
    check(
      x.shape.length >= 2,
      'causalMask',
      () => `expected scores [..., rows, columns], got ${printShape(x.shape)}`,
    );
    return { shape: x.shape, dtype: 'f32' };
  },
  access(operands, _attrs, out) {
    const names = axes(axisNames(out.shape.length - 2), 'row column');
    return pattern(
      `${names} -> ${names}`,
      operands.map((operand) => operand.shape),
      out.shape,
      { starts: { row: 'rowStart', column: 'columnStart' } },
    );
  },
  flops: (_operands, _attrs, out) => count(out.shape),
  inPlace: [0],
  reference(operands, attrs, shape) {
    const [x] = take('causalMask', operands, 1);
    const [rows, columns] = shape.slice(-2) as [number, number];
    const shift = numberAttr(attrs, 'rowStart') - numberAttr(attrs, 'columnStart');
    return x.data.map((value, flat) => {
      const row = Math.floor(flat / columns) % rows;
      return flat % columns <= row + shift ? value : LOWEST_F32;
    });
  },
};

export const maskOps: readonly OpDef[] = [causalMask];
