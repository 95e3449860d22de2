import { invariant } from '../../errors.ts';
import type { LanewiseProduct, Product } from '../tuned.ts';
import type { View3 } from '../view3.ts';
import { ALL_SEEN, type Form, type LanewiseParameters } from './parameters.ts';

/** The same as a batch of products, a matrix for each lane. */
export function asBatch<View extends View3>({ out, a, b }: LanewiseProduct<View>): Product<View> {
  const turned = (view: View, [z, y, x]: readonly [0 | 1 | 2, 0 | 1 | 2, 0 | 1 | 2]): View => ({
    ...view,
    extents: [view.extents[z], view.extents[y], view.extents[x]],
    strides: [view.strides[z], view.strides[y], view.strides[x]],
  });
  return { out: turned(out, [2, 0, 1]), a: turned(a, [2, 0, 1]), b: turned(b, [2, 1, 0]) };
}

/** A lanewise product: z are rows, y columns, x lanes. */
export function lanewiseParameters(
  { out, a, b }: LanewiseProduct<View3>,
  { unit }: Pick<Form, 'unit'>,
): LanewiseParameters {
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
    a: a.base * unit,
    aBatch: 0,
    aRow: a.strides[0] * unit,
    aK: a.strides[1] * unit,
    b: b.base * unit,
    bBatch: 0,
    bColumn: b.strides[0] * unit,
    bK: b.strides[1] * unit,
    c: out.base * unit,
    cBatch: 0,
    cRow: out.strides[0] * unit,
    cColumn: out.strides[1] * unit,
    cLine: columns,
    cGap: 0,
    bias: 0,
    biasBatch: 0,
    biasRow: 0,
    biasColumn: 0,
    ...ALL_SEEN,
  };
}
