import { invariant } from '../../errors.ts';
import type { Shape } from '../../ir/dims.ts';
import type { Cut } from '../../ir/flow.ts';
import type { Attrs, CarryRole, LoopCarry, OpNode, ValueId } from '../../ir/node.ts';
import { LOWEST_F32 } from '../../ir/ops/mask.ts';
import type { AxisTerm } from '../../ir/pattern.ts';
import { derived } from '../graph/derived.ts';
import { patternOf } from '../graph/graph-index.ts';
import { type Carried, type CarryContext, maker, withOne } from './carried.ts';

/** The streaming form of softmax: exponentials less the largest so far, and what was added up so far on the same scale. */
export function carrySoftmax(node: OpNode, cut: Cut, chunk: Shape, { index, read }: CarryContext): Carried {
  const pattern = patternOf(node, index.types);
  invariant(pattern, () => `${node.id} has no access pattern`);
  const { axis } = cut;
  const rows = withOne(node.shape, cut);
  const all = pattern.output;
  const row = all.map((term, i): AxisTerm => (i === axis ? { labels: [] } : term));
  const inside = { ...pattern, starts: {} };
  const make = maker(node, inside);
  const name = (what: string): ValueId => derived(node.id, what);
  const x = read(node.operands[0] as ValueId, cut);
  const reduce: Attrs = { axis, keepdims: true };
  const largest = make('amax', name('largest'), [[x, all]], rows, row, reduce);
  const max = make(
    'maximum',
    name('max_next'),
    [
      [name('max_before'), row],
      [largest.id, row],
    ],
    rows,
    row,
  );
  const scale = make(
    'expSub',
    name('scale'),
    [
      [name('max_before'), row],
      [max.id, row],
    ],
    rows,
    row,
  );
  const part = make(
    'expSub',
    node.id,
    [
      [x, all],
      [max.id, row],
    ],
    chunk,
    all,
  );
  const added = make('sum', name('added'), [[part.id, all]], rows, row, reduce);
  const scaled = make(
    'mul',
    name('sum_scaled'),
    [
      [name('sum_before'), row],
      [scale.id, row],
    ],
    rows,
    row,
  );
  const sum = make(
    'add',
    name('sum_next'),
    [
      [scaled.id, row],
      [added.id, row],
    ],
    rows,
    row,
  );
  const carry = (what: string, value: OpNode, init: number, role: CarryRole): LoopCarry => ({
    id: name(what),
    as: name(`${what}_before`),
    value: value.id,
    init,
    role,
    of: node.id,
    shape: rows,
    dtype: 'f32',
  });
  return {
    nodes: [largest, max, scale, part, added, scaled, sum],
    carries: [carry('max', max, LOWEST_F32, 'maximum'), carry('sum', sum, 0, 'denominator')],
    finish: [],
  };
}
