import { invariant } from '../../errors.ts';
import { type Dim, type Shape, sameShape } from '../../ir/dims.ts';
import type { Contraction, Cut } from '../../ir/flow.ts';
import type { Attrs, CarryRole, LoopCarry, OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { Split } from '../../ir/ops/op.ts';
import type { AccessPattern, AxisTerm } from '../../ir/pattern.ts';
import { derived } from '../graph/derived.ts';
import { patternOf } from '../graph/graph-index.ts';
import { type Carried, type CarryContext, type Make, maker, withOne } from './carried.ts';
import { rowsOf, type Stream, streamInto } from './stream.ts';

const COMBINED: Readonly<Record<Split['combine'], CarryRole>> = {
  add: 'sum',
  maximum: 'maximum',
  minimum: 'minimum',
  mergeMoments: 'moments',
};

/** A contraction over a part of its label, put together with what the parts before it left. */
export function carryContraction(
  node: OpNode,
  contraction: Contraction,
  operandCuts: readonly (Cut | undefined)[],
  context: CarryContext,
): Carried {
  const { index, cuts, read } = context;
  const pattern = patternOf(node, index.types);
  const types = node.operands.map((id) => index.types.get(id) as TensorType);
  const split = opDef(node.op).split?.(types, node.attrs, contraction.contracts);
  invariant(pattern && split, () => `${node.id} cannot be computed in parts`);
  const inside: AccessPattern = { ...pattern, starts: {}, whole: [...pattern.whole, contraction.contracts] };
  const make = maker(node, inside);
  // A loop of its own would have to be a loop of this one's results: none is made.
  const after = maker(node, undefined);
  const name = (what: string): ValueId => derived(node.id, what);
  const out = pattern.output;
  const { part: by = { op: node.op, attrs: node.attrs, operands: node.operands.length } } = split;
  const sources = node.operands.slice(0, by.operands);
  const { dtype } = opDef(by.op).infer(types.slice(0, by.operands), by.attrs);
  const part = make(
    by.op,
    name('part'),
    sources.map((id, i) => [read(id, operandCuts[i]), pattern.operands[i] as readonly AxisTerm[]]),
    node.shape,
    out,
    by.attrs,
    dtype,
  );
  const stream = streamInto(index, cuts, node);
  const before = name('before');
  const nodes: OpNode[] = [];
  const finish: OpNode[] = [];
  let sum = before;
  if (stream) {
    const scale = perRow(
      stream,
      { node, pattern: inside, cut: contraction },
      derived(stream.softmax.id, 'scale'),
      'scale',
      context,
      true,
    );
    const scaled = make(
      'mul',
      name('scaled'),
      [
        [before, out],
        [scale.id, scale.terms],
      ],
      node.shape,
      out,
    );
    nodes.push(...scale.nodes, scaled);
    sum = scaled.id;
  }
  const next = make(
    split.combine,
    name('next'),
    [
      [sum, out],
      [part.id, out],
    ],
    node.shape,
    out,
    {},
    dtype,
  );
  nodes.push(part, next);
  let result = stream ? name('numerator') : split.finish ? name('sum') : node.id;
  const carry: LoopCarry = {
    id: result,
    as: before,
    value: next.id,
    init: split.init,
    role: stream ? 'numerator' : COMBINED[split.combine],
    of: node.id,
    shape: node.shape,
    dtype,
  };
  if (stream) {
    const { softmax } = stream;
    const total = perRow(
      stream,
      { node, pattern, cut: contraction },
      derived(softmax.id, 'sum'),
      'denominator',
      context,
      false,
    );
    const id = split.finish ? name('sum') : node.id;
    finish.push(
      ...total.nodes,
      after(
        'div',
        id,
        [
          [result, out],
          [total.id, total.terms],
        ],
        node.shape,
        out,
      ),
    );
    result = id;
  }
  if (split.finish) {
    const { op, attrs, operands } = split.finish;
    const more = operands.map(
      (i) => [node.operands[i] as ValueId, pattern.operands[i] as readonly AxisTerm[]] as const,
    );
    finish.push(after(op, node.id, [[result, out], ...more], node.shape, out, attrs));
  }
  return { nodes, carries: [carry], finish };
}

/** One number a row of softmax, seen in the shape of the contraction's result; axes that it does not depend on have extent 1. */
function perRow(
  { softmax, views, operand }: Stream,
  contraction: { readonly node: OpNode; readonly pattern: AccessPattern; readonly cut: Contraction },
  rows: ValueId,
  name: string,
  { index, cuts }: Pick<CarryContext, 'index' | 'cuts'>,
  inside: boolean,
): { readonly id: ValueId; readonly terms: readonly AxisTerm[]; readonly nodes: readonly OpNode[] } {
  const { node, pattern, cut } = contraction;
  const nodes: OpNode[] = [];
  let id = rows;
  let shape: Shape = withOne(softmax.shape, cuts.get(softmax.id) as Cut);
  const view = (
    make: Make,
    op: string,
    from: readonly AxisTerm[],
    to: readonly AxisTerm[],
    attrs: Attrs,
    seen: Shape,
  ) => {
    const viewed = make(
      op,
      derived(derived(node.id, name), `${nodes.length}`),
      [[id, from]],
      seen,
      to,
      attrs,
    );
    nodes.push(viewed);
    [id, shape] = [viewed.id, seen];
  };
  for (const each of views) {
    const own = patternOf(each, index.types) as AccessPattern;
    const label = own.output[(cuts.get(each.id) as Cut).axis]?.labels[0];
    const [from, to] = [own.operands[0] as readonly AxisTerm[], own.output].map((axes) =>
      without(axes, label),
    ) as [AxisTerm[], AxisTerm[]];
    const seen = withOne(each.shape, cuts.get(each.id) as Cut);
    view(
      maker(node, inside ? own : undefined),
      each.op,
      from,
      to,
      each.op === 'reshape' ? { shape: seen } : each.attrs,
      seen,
    );
  }
  const terms = without(pattern.operands[operand] as readonly AxisTerm[], cut.contracts);
  const places = rowsOf(pattern, operand, cut) as (number | undefined)[];
  const make = maker(node, inside ? pattern : undefined);
  const used = places.filter((at) => at !== undefined);
  const order = [...used, ...terms.keys()].filter((at, i, all) => all.indexOf(at) === i);
  const permuted = order.map((at) => terms[at] as AxisTerm);
  if (order.some((at, i) => at !== i)) {
    view(
      make,
      'permute',
      terms,
      permuted,
      { axes: order },
      order.map((at) => shape[at] as Dim),
    );
  }
  const seen = places.map((at) => (at === undefined ? 1 : (shape[order.indexOf(at)] as Dim)));
  const aligned = places.map((at): AxisTerm => (at === undefined ? { labels: [] } : (terms[at] as AxisTerm)));
  if (!sameShape(seen, shape)) view(make, 'reshape', permuted, aligned, { shape: seen }, seen);
  return { id, terms: aligned, nodes };
}

const without = (axes: readonly AxisTerm[], label: string | undefined): AxisTerm[] =>
  axes.map((term) => (label !== undefined && term.labels[0] === label ? { labels: [] } : term));
