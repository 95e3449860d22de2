import { sameShape } from '../../ir/dims.ts';
import {
  type LoopNode,
  type LoopResult,
  type LoopSlice,
  type OpNode,
  operandsOf,
  type ValueId,
} from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import { type Layout, sameLayout, sliceLayout } from '../../layout/layout.ts';
import { indexGraph, overwritable } from '../graph/graph-index.ts';
import type { Place } from './place.ts';

/** How a loop result is written over an operand of the loop. */
export interface TakeOver {
  readonly storage: ValueId;
  /**
   * Whether the kernel that computes the result may not write over what it reads: then it writes a chunk of its own, which
   * is copied once the operand has been read.
   */
  readonly indirect: boolean;
}

/** What is known around a loop: where values are, and which storages nothing reads after it. */
export interface Surrounded {
  place(value: ValueId): Place;
  dies(storage: ValueId): boolean;
}

/**
 * The results of a loop that take over the storage of an operand: one of their type of which every iteration reads just
 * the part that it writes, and for the last time when it writes it.
 */
export function takeOvers(loop: LoopNode, { place, dies }: Surrounded): Map<LoopResult, TakeOver> {
  const found = new Map<LoopResult, TakeOver>();
  const free = new Set(loop.slices.map(({ operand }) => place(operand).storage).filter(dies));
  for (const id of loop.whole) free.delete(place(id).storage);
  for (const result of loop.results) {
    for (const storage of free) {
      const { type, layout } = place(storage);
      if (type.dtype !== result.dtype || !sameShape(type.shape, result.shape)) continue;
      const slices = loop.slices.filter(({ operand }) => place(operand).storage === storage);
      // Parts with borders overlap: an iteration would read what the one before has written.
      if ([result, ...slices].some(({ halo }) => halo !== undefined)) continue;
      const same = slices.filter(
        ({ operand, axis, multiple }) =>
          axis === result.axis && multiple === result.multiple && sameLayout(place(operand).layout, layout),
      );
      const readsWritten = (slice: LoopSlice): boolean =>
        same.includes(slice) || unitOf(place(slice.operand).layout, slice) === unitOf(layout, result);
      if (!slices.every(readsWritten)) continue;
      const read = lastRead(loop, result, slices, new Set(same.map(({ as }) => as)));
      if (read === 'late') continue;
      found.set(result, { storage, indirect: read === 'at once' });
      free.delete(storage);
      break;
    }
  }
  return found;
}

/** The elements of one unit of a loop and how far it is to the next: equal texts, equal parts. */
function unitOf(layout: Layout, { axis, multiple }: Pick<LoopSlice, 'axis' | 'multiple'>): string {
  const { shape, strides, offset } = sliceLayout(layout, axis, 0, multiple);
  const axes = shape
    .map((extent, i) => ({ extent, stride: strides[i] as number }))
    .filter(({ extent }) => extent !== 1)
    .sort((a, b) => b.stride - a.stride || b.extent - a.extent);
  const merged: typeof axes = [];
  for (const one of axes) {
    const last = merged.at(-1);
    if (last?.stride === one.stride * one.extent)
      merged[merged.length - 1] = { extent: last.extent * one.extent, stride: one.stride };
    else merged.push(one);
  }
  const step = (strides[axis] as number) * multiple;
  return `${offset} ${step} ${merged.map(({ extent, stride }) => `${extent}@${stride}`).join(' ')}`;
}

/**
 * When the body of a loop reads slices for the last time, against the node that computes a result: before it or in it, where
 * it may write over what it reads (`early`), in it, where it may not (`at once`), or after it (`late`).
 */
function lastRead(
  { body, carries }: LoopNode,
  result: LoopResult,
  slices: readonly LoopSlice[],
  direct: ReadonlySet<ValueId>,
): 'early' | 'at once' | 'late' {
  const seen = new Set(slices.map(({ as }) => as));
  const writesOver = (node: OpNode): boolean => {
    const allowed = overwritable(node, indexGraph(body).types);
    return node.operands.every((id, i) => !seen.has(id) || (direct.has(id) && allowed.includes(i)));
  };
  if (seen.has(result.value)) return 'late';
  let computed = false;
  let found: 'early' | 'at once' = 'early';
  for (const node of body.nodes) {
    const reads = operandsOf(node).some((id) => seen.has(id));
    if (reads && computed) return 'late';
    if (node.kind === 'op' && reads && opDef(node.op).layout) seen.add(node.id);
    computed ||=
      node.kind === 'op' ? node.id === result.value : node.results.some(({ id }) => id === result.value);
    if (!computed || !reads || found === 'at once') continue;
    if (seen.has(result.value)) return 'late';
    if (node.kind === 'loop' || !writesOver(node)) found = 'at once';
  }
  // What is carried is read when the iteration ends.
  return computed && !carries.some(({ value }) => seen.has(value)) ? found : 'late';
}
