import { invariant } from '../errors.ts';
import { type Dim, type Shape, sameShape } from '../ir/dims.ts';
import { type Contraction, type Cut, isContraction, type NodeCut } from '../ir/flow.ts';
import type { Attrs, CarryRole, DType, LoopCarry, Node, OpNode, TensorType, ValueId } from '../ir/node.ts';
import { opDef } from '../ir/ops/index.ts';
import { LOWEST_F32 } from '../ir/ops/mask.ts';
import type { Split } from '../ir/ops/op.ts';
import type { AccessPattern, AxisTerm } from '../ir/pattern.ts';
import { derived } from './derived.ts';
import { type GraphIndex, patternOf, setPattern } from './graph-index.ts';

/** What a node whose reduction is split becomes. */
export interface Carried {
  /** Runs in every iteration. */
  readonly nodes: readonly OpNode[];
  readonly carries: readonly LoopCarry[];
  /** Runs after the loop. */
  readonly finish: readonly OpNode[];
}

type Cuts = ReadonlyMap<ValueId, NodeCut>;

/**
 * Is a node softmax in streaming form: cut along the axis that it needs whole? Its iterations make exponentials less the
 * largest score so far (Milakov & Gimelshein 2018, algorithm 3); who adds them up divides in the end (Rabe & Staats 2021).
 */
export const isStreamed = (node: Node, cut: NodeCut | undefined): cut is Cut =>
  node.kind === 'op' &&
  node.op === 'softmax' &&
  cut !== undefined &&
  !isContraction(cut) &&
  cut.axis === node.attrs.axis;

/** A contraction that adds up what softmax gives, and the views in between, first the one of softmax itself. */
interface Stream {
  readonly softmax: OpNode;
  readonly views: readonly OpNode[];
  /** Which operand of the contraction it is. */
  readonly operand: number;
}

/** What a contraction of a region adds up, where that is softmax in streaming form. */
function streamInto(index: GraphIndex, cuts: Cuts, node: OpNode): Stream | undefined {
  for (const [operand, id] of node.operands.entries()) {
    const views: OpNode[] = [];
    for (let at: ValueId | undefined = id; at !== undefined && cuts.has(at); ) {
      const source: Node | undefined = index.graph.nodes[index.definedAt.get(at) ?? -1];
      if (source?.kind !== 'op') break;
      if (isStreamed(source, cuts.get(at))) return { softmax: source, views: views.reverse(), operand };
      if (source.op !== 'permute' && source.op !== 'reshape') break;
      views.push(source);
      at = source.operands[0];
    }
  }
  return undefined;
}

/** Are the parts of a contraction added up? Only a sum may be scaled afterwards, as what is streamed is. */
function isAddedUp(
  { op, operands, attrs }: OpNode,
  { contracts }: Contraction,
  { types }: GraphIndex,
): boolean {
  const read = operands.map((id) => types.get(id) as TensorType);
  return opDef(op).split?.(read, attrs, contracts)?.combine === 'add';
}

/**
 * Can softmax be cut along its own axis? All that reads it must be one sum over that axis, through views that leave the axis as
 * it is, and everything else about softmax (its rows) must be an axis of the sum.
 */
export function canStream(index: GraphIndex, cuts: Cuts, softmax: OpNode): boolean {
  let at: OpNode = softmax;
  for (;;) {
    const users = index.usedAt.get(at.id) ?? [];
    const user = index.graph.nodes[users[0] ?? -1];
    if (users.length !== 1 || user?.kind !== 'op' || index.outputs.has(at.id)) return false;
    const cut = cuts.get(user.id);
    if (cut === undefined) return false;
    if (isContraction(cut)) {
      const stream = streamInto(index, cuts, user);
      const pattern = patternOf(user, index.types);
      const once = user.operands.filter((id) => id === at.id).length === 1;
      return (
        once &&
        isAddedUp(user, cut, index) &&
        stream !== undefined &&
        pattern !== undefined &&
        rowsOf(pattern, stream.operand, cut) !== undefined
      );
    }
    if (user.op !== 'permute' && user.op !== 'reshape') return false;
    const pattern = patternOf(user, index.types);
    const before = cuts.get(at.id) as Cut;
    const plain = (axes: readonly AxisTerm[] | undefined, { axis }: Cut): boolean =>
      axes?.[axis]?.labels.length === 1;
    if (!plain(pattern?.operands[0], before) || !plain(pattern?.output, cut)) return false;
    at = user;
  }
}

/** For every axis of a contraction's result the axis of one operand with the same label; undefined where the operand is summed over more. */
function rowsOf(
  pattern: AccessPattern,
  operand: number,
  { contracts }: Contraction,
): (number | undefined)[] | undefined {
  const axes = pattern.operands[operand] as readonly AxisTerm[];
  const labels = axes.flatMap(({ labels }) => labels).filter((label) => label !== contracts);
  const plain = [...axes, ...pattern.output].every(({ labels, window }) => labels.length <= 1 && !window);
  const kept = new Set(pattern.output.flatMap(({ labels }) => labels));
  if (!plain || labels.some((label) => !kept.has(label))) return undefined;
  return pattern.output.map(({ labels: [label] }) => {
    const at = axes.findIndex(({ labels }) => label !== undefined && labels[0] === label);
    return at < 0 ? undefined : at;
  });
}

interface Context {
  readonly index: GraphIndex;
  readonly cuts: Cuts;
  /** The name of an operand, or of the part of it that an iteration reads, in the body. */
  readonly read: (id: ValueId, cut: Cut | undefined) => ValueId;
}

/** The streaming form of softmax: exponentials less the largest so far, and what was added up so far on the same scale. */
export function carrySoftmax(node: OpNode, cut: Cut, chunk: Shape, { index, read }: Context): Carried {
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
  context: Context,
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

type Operand = readonly [id: ValueId, terms: readonly AxisTerm[]];
type Make = (
  op: string,
  id: ValueId,
  operands: readonly Operand[],
  shape: Shape,
  output: readonly AxisTerm[],
  attrs?: Attrs,
  dtype?: DType,
) => OpNode;

/** Makes nodes on the way to `node`; their patterns use the labels of its pattern. */
const maker =
  (node: OpNode, pattern: AccessPattern | undefined): Make =>
  (op, id, operands, shape, output, attrs = {}, dtype = 'f32') => {
    const { scope, at } = node;
    const made: OpNode = {
      kind: 'op',
      id,
      op,
      operands: operands.map(([id]) => id),
      attrs: { ...opDef(op).defaults, ...attrs },
      shape,
      dtype,
      scope,
      ...(at ? { at } : {}),
    };
    setPattern(made, pattern && { ...pattern, operands: operands.map(([, terms]) => terms), output });
    return made;
  };

/** One number a row of softmax, seen in the shape of the contraction's result; axes that it does not depend on have extent 1. */
function perRow(
  { softmax, views, operand }: Stream,
  contraction: { readonly node: OpNode; readonly pattern: AccessPattern; readonly cut: Contraction },
  rows: ValueId,
  name: string,
  { index, cuts }: Pick<Context, 'index' | 'cuts'>,
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

const withOne = (shape: Shape, { axis }: Cut): Shape => shape.map((dim, i) => (i === axis ? 1 : dim));

const without = (axes: readonly AxisTerm[], label: string | undefined): AxisTerm[] =>
  axes.map((term) => (label !== undefined && term.labels[0] === label ? { labels: [] } : term));
