import { invariant } from '../../errors.ts';
import { addDims, type Dim, divDims, mulDims, type Shape, subDims } from '../../ir/dims.ts';
import { bordersOf, type Cut, isContraction, type NodeCut, sameCut } from '../../ir/flow.ts';
import type {
  Graph,
  GraphInput,
  LoopCarry,
  LoopNode,
  LoopResult,
  LoopSlice,
  OperandPart,
  OpNode,
  TensorType,
  ValueId,
} from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { Window } from '../../ir/pattern.ts';
import { type GraphIndex, inheritPattern } from '../graph/graph-index.ts';
import type { Carried } from './carried.ts';
import { carryContraction } from './carry-contraction.ts';
import { carrySoftmax } from './carry-softmax.ts';
import { Halos, type Range } from './halos.ts';
import { type Choice, flowOf, overName, type Region, renameChoice, usedOutside } from './region.ts';
import { isStreamed } from './stream.ts';

export interface LoopNames {
  readonly id: string;
  readonly start: string;
  readonly length: string;
  readonly fresh: (wish: string) => string;
}

/** A loop, and what makes the values that it was built for from those that it carries. */
export interface Built {
  readonly loop: LoopNode;
  readonly finish: readonly OpNode[];
}

/** The loop over a region. With `sketched` it is built for measuring only; `place` puts the loops inside into its body. */
export function buildLoop(
  index: GraphIndex,
  { region, chunkSize, chunkName, inner = [] }: Choice,
  inside: readonly OpNode[],
  place: (body: Graph, inner: readonly Choice[]) => Graph,
  names: LoopNames,
  sketched = false,
): Built {
  const halos = new Halos(region.extent, chunkSize, names, sketched);
  const type = (id: ValueId): TensorType => index.types.get(id) as TensorType;
  const rangeOf = (id: ValueId, cut: Cut): Range => halos.range(cut, type(id).shape[cut.axis] as Dim);
  const slices = new Map<string, LoopSlice>();
  const inputs: GraphInput[] = [];
  const whole = new Set<ValueId>();
  const renamed = new Map<ValueId, ValueId>();
  const results: LoopResult[] = [];
  const carries: LoopCarry[] = [];
  const finish: OpNode[] = [];
  for (const node of inside) {
    const cut = region.cuts.get(node.id) as NodeCut;
    // Also what keeps its name: loops inside name it, and not what it is derived from.
    renamed.set(node.id, node.id);
    if (isContraction(cut) || !usedOutside(index, region, node.id)) continue;
    const value = names.fresh(`${node.id}_chunk`);
    renamed.set(node.id, value);
    const { shape, dtype } = node;
    const at = { axis: cut.axis, multiple: cut.multiple, ...haloOf(rangeOf(node.id, cut)) };
    results.push({ kind: 'concat', id: node.id, value, ...at, shape, dtype });
  }
  const chunkShape = (id: ValueId, cut: Cut): Shape =>
    type(id).shape.map((dim, axis) => (axis === cut.axis ? rangeOf(id, cut).length : dim));
  const read = (id: ValueId, cut: Cut | undefined): ValueId => {
    if (region.cuts.has(id)) return renamed.get(id) ?? id;
    if (cut === undefined) {
      whole.add(id);
      return id;
    }
    const { axis, multiple } = cut;
    const { length, ...range } = rangeOf(id, cut);
    const key = `${id} ${axis} ${multiple} ${range.halo}`;
    let slice = slices.get(key);
    if (!slice) {
      slice = { operand: id, as: names.fresh(`${id}_slice`), axis, multiple, ...haloOf(range) };
      slices.set(key, slice);
      const { shape, dtype } = type(id);
      inputs.push({ id: slice.as, shape: shape.map((dim, i) => (i === axis ? length : dim)), dtype });
    }
    return slice.as;
  };
  /** The part that a node reads of a value that the body computes, where another node reads more. */
  const part = (operand: number, id: ValueId, need: Cut | undefined): OperandPart[] => {
    const made = region.cuts.get(id) as Cut | undefined;
    if (made === undefined || need === undefined || sameCut(made, need)) return [];
    const { start, length } = rangeOf(id, need);
    return [{ operand, axis: need.axis, start: subDims(start, rangeOf(id, made).start), length }];
  };
  const context = { index, cuts: region.cuts, read };
  const carried = (parts: Carried): readonly OpNode[] => {
    carries.push(...parts.carries);
    finish.push(...parts.finish);
    return parts.nodes;
  };
  const nodes = inside.flatMap((node): readonly OpNode[] => {
    const cut = region.cuts.get(node.id) as NodeCut;
    const flow = flowOf(node, cut, index.types);
    if (isContraction(cut)) return carried(carryContraction(node, cut, flow.operands, context));
    const shape = chunkShape(node.id, cut);
    if (isStreamed(node, cut)) return carried(carrySoftmax(node, cut, shape, context));
    let attrs = node.attrs;
    for (const { attr, extent, ...span } of flow.shifts) {
      const { start } = halos.range(span, extent);
      attrs = { ...attrs, [attr]: addDims((attrs[attr] as Dim | undefined) ?? 0, start) };
    }
    const own = rangeOf(node.id, cut);
    for (const { operand, axis, window, kind } of flow.windows) {
      const read = rangeOf(node.operands[operand] as ValueId, flow.operands[operand] as Cut);
      const pad = opDef(node.op).pad;
      invariant(pad, () => `${node.op} has a window but no padding`);
      attrs = pad(
        attrs,
        axis,
        kind === 'gathers' ? paddingIn(window, own, read) : paddingIn(window, read, own),
      );
    }
    const reads = [
      ...(node.reads ?? []),
      ...node.operands.flatMap((id, i) => part(i, id, flow.operands[i])),
    ].sort((a, b) => a.operand - b.operand);
    const chunk = {
      ...node,
      id: renamed.get(node.id) ?? node.id,
      operands: node.operands.map((id, i) => read(id, flow.operands[i])),
      attrs: opDef(node.op).resize?.(attrs, shape) ?? attrs,
      ...(reads.length > 0 ? { reads } : {}),
      shape,
    };
    inheritPattern(chunk, node, index.types, cut);
    return [chunk];
  });
  for (const { as, shape, dtype } of carries) inputs.push({ id: as, shape, dtype });
  for (const id of whole) inputs.push({ id, shape: type(id).shape, dtype: type(id).dtype });
  const body: Graph = {
    name: names.id,
    dims: sketched ? [] : [names.start, names.length, ...halos.names],
    inputs,
    params: [],
    nodes,
    outputs: [...results, ...carries].map(({ id, value }) => ({ name: id, value })),
  };
  const loop: LoopNode = {
    kind: 'loop',
    id: names.id,
    over: overName(region, inside),
    extent: extentOf(index, region, [...slices.values()]),
    chunkSize: chunkName ?? chunkSize,
    start: names.start,
    length: names.length,
    halos: halos.all,
    slices: [...slices.values()],
    whole: [...whole],
    body: place(
      body,
      inner.map((choice) => renameChoice(choice, renamed)),
    ),
    results,
    carries,
    scope: sketched ? '' : commonScope(inside),
  };
  return { loop, finish };
}

/** Units of a region's loop, in the dimensions of the graph. */
function extentOf({ types }: GraphIndex, region: Region, slices: readonly LoopSlice[]): Dim {
  const cut = [...region.cuts].flatMap(([id, cut]) => (isContraction(cut) ? [] : [[id, cut] as const]));
  for (const slice of slices) if (slice.halo === undefined) cut.push([slice.operand, slice]);
  const extents = cut.flatMap(([id, cut]) => {
    const { before, after } = bordersOf(cut);
    const extent = (types.get(id) as TensorType).shape[cut.axis] as Dim;
    // With borders, and where windows leave elements over, an axis is no multiple of the units.
    return typeof extent === 'number' || before + after > 0 ? [] : [divDims(extent, cut.multiple)];
  });
  const [extent = region.extent] = extents;
  invariant(
    extent !== undefined && extents.every((other) => other === extent),
    () => `the nodes of a region are cut into ${extents.join(', ')} units`,
  );
  return extent;
}

/** The padding of a window whose places are some of an axis, over some elements of another. */
function paddingIn(
  { size, stride, dilation, padding }: Window,
  places: Range,
  elements: Range,
): Window['padding'] {
  const before = addDims(padding[0], mulDims(-stride, places.start), elements.start);
  const reached = addDims(mulDims(stride, addDims(places.length, -1)), dilation * (size - 1) + 1);
  return [before, subDims(subDims(reached, elements.length), before)];
}

const haloOf = ({ halo }: Pick<Range, 'halo'>): { halo?: string } => (halo === undefined ? {} : { halo });

function commonScope(nodes: readonly OpNode[]): string {
  const paths = nodes.map((node) => (node.scope === '' ? [] : node.scope.split('.')));
  const [first = []] = paths;
  let length = 0;
  while (length < first.length && paths.every((path) => path[length] === first[length])) length++;
  return first.slice(0, length).join('.');
}
