import { invariant } from '../../../errors.ts';
import type { LanewiseProduct, Product } from '../../tuned.ts';
import type { View3 } from '../../view3.ts';
import type { LanewiseParameters } from './parameters.ts';

const FLOAT = 4;
/** Lanes that are computed at once. */
export const LANES = 4;

/** The same as a batch of products, a matrix for each lane. */
export function asBatch({ out, a, b }: LanewiseProduct<View3>): Product<View3> {
  const turned = (
    { base, extents, strides }: View3,
    [z, y, x]: readonly [0 | 1 | 2, 0 | 1 | 2, 0 | 1 | 2],
  ) => ({
    base,
    extents: [extents[z], extents[y], extents[x]] as const,
    strides: [strides[z], strides[y], strides[x]] as const,
  });
  return { out: turned(out, [2, 0, 1]), a: turned(a, [2, 0, 1]), b: turned(b, [2, 1, 0]) };
}

/** A lanewise product of at least {@link LANES} lanes: z are rows, y columns, x lanes. */
export function lanewiseParameters({ out, a, b }: LanewiseProduct<View3>): LanewiseParameters {
  const [rows, columns, lanes] = out.extents;
  const k = a.extents[1];
  invariant(
    a.extents[0] === rows && b.extents[0] === columns && b.extents[1] === k,
    () => `multiplyLanes: [${a.extents}] · [${b.extents}] does not make [${out.extents}]`,
  );
  invariant(
    [out, a, b].every(({ extents, strides }) => extents[2] === lanes && strides[2] === 1),
    'multiplyLanes: lanes must lie next to each other',
  );
  return {
    rows,
    columns,
    k,
    lanes,
    accumulate: 0,
    a: a.base * FLOAT,
    aBatch: 0,
    aRow: a.strides[0] * FLOAT,
    aK: a.strides[1] * FLOAT,
    b: b.base * FLOAT,
    bBatch: 0,
    bColumn: b.strides[0] * FLOAT,
    bK: b.strides[1] * FLOAT,
    c: out.base * FLOAT,
    cBatch: 0,
    cRow: out.strides[0] * FLOAT,
    cColumn: out.strides[1] * FLOAT,
    cLine: columns,
    cGap: 0,
    bias: 0,
    biasBatch: 0,
    biasRow: 0,
    biasColumn: 0,
  };
}
