import { printShape } from '../dims.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { axes, axisNames, count, take } from './support.ts';

const embedding: OpDef = {
  name: 'embedding',
  summary: 'row of a table for every id',
  infer(operands) {
    const [table, ids] = take('embedding', operands, 2);
    check(
      table.shape.length === 2,
      'embedding',
      () => `expected a table [ids, width], got ${printShape(table.shape)}`,
    );
    check(ids.dtype === 'i32', 'embedding', () => `expected i32 ids, got ${ids.dtype}`);
    return { shape: [...ids.shape, ...table.shape.slice(1)], dtype: table.dtype };
  },
  access(operands, _attrs, out) {
    const [table, ids] = take('embedding', operands, 2);
    const lead = axes(axisNames(ids.shape.length));
    return pattern(`id! width, ${lead} -> ${lead} width`, [table.shape, ids.shape], out.shape);
  },
  flops: () => 0,
  reference(operands, _attrs, shape) {
    const [table, ids] = take('embedding', operands, 2);
    const width = shape.at(-1) as number;
    const out = new Float64Array(count(shape));
    ids.data.forEach((id, i) => {
      out.set(table.data.subarray(id * width, (id + 1) * width), i * width);
    });
    return out;
  },
};

export const embeddingOps: readonly OpDef[] = [embedding];
