import { invariant } from '../errors.ts';
import { addDims, type Dim, divDims, mulDims, type Shape, subDims } from '../ir/dims.ts';
import {
  bordersOf,
  type Cut,
  describeCut,
  type Flow,
  isContraction,
  isObstacle,
  type NodeCut,
  sameCut,
} from '../ir/flow.ts';
import type {
  Graph,
  GraphInput,
  LoopCarry,
  LoopNode,
  LoopResult,
  LoopSlice,
  Node,
  OperandPart,
  OpNode,
  TensorType,
  ValueId,
} from '../ir/node.ts';
import { definedBy, operandsOf } from '../ir/node.ts';
import { opDef } from '../ir/ops/index.ts';
import type { Window } from '../ir/pattern.ts';
import { type Carried, carryContraction, carrySoftmax, isStreamed } from './carried.ts';
import { baseOf, renameValue } from './derived.ts';
import { flowThrough, type GraphIndex, indexGraph, inheritPattern, patternOf } from './graph-index.ts';
import { Halos, type Range } from './halos.ts';
import { freshNames, loopNames, numbered } from './names.ts';

/** Nodes to run inside one loop, in execution order, each with the one axis it is cut along. */
export interface Region {
  readonly cuts: ReadonlyMap<ValueId, NodeCut>;
  /** Units of the loop. */
  readonly extent: number;
}

/** Does every storage of the body grow with the chunk size, from nothing? */
export const isProportional = ({ cuts }: Region): boolean =>
  [...cuts.values()].every(
    (cut) => !isContraction(cut) && cut.before === undefined && cut.after === undefined,
  );

/** A region with its chunk size: one loop of a plan. */
export interface Choice {
  readonly region: Region;
  readonly chunkSize: number;
  /** What a graph in named dimensions calls the chunk size, which is not known before the module runs. */
  readonly chunkName?: string;
  /** The loops in its body. Their regions name values as the graph without loops does. */
  readonly inner?: readonly Choice[];
}

/** A choice over other values: those that `names` gives another name. */
export function renameChoice(choice: Choice, names: ReadonlyMap<ValueId, ValueId>): Choice {
  const { region, inner } = choice;
  const cuts = new Map([...region.cuts].map(([id, cut]) => [renameValue(id, names), cut]));
  const renamed = { ...choice, region: { cuts, extent: region.extent } };
  return inner ? { ...renamed, inner: inner.map((other) => renameChoice(other, names)) } : renamed;
}

/** A region in its graph: what must run before the loop, inside it and after it. */
export interface Arrangement {
  readonly first: number;
  readonly last: number;
  readonly before: readonly Node[];
  readonly inside: readonly OpNode[];
  readonly after: readonly Node[];
}

/**
 * Splits the nodes from the region's first to its last: those that read the region's values run after the loop, the
 * others before it. Undefined when the region is not convex, that is when it needs what must run after it.
 */
export const arrange = ({ graph, definedAt }: GraphIndex, region: Region): Arrangement | undefined =>
  arrangeAt((first, last) => graph.nodes.slice(first, last + 1), definedAt, region);

/** The same for nodes at given positions: loops have taken some away, and have brought some that finish what they carry. */
function arrangeAt(
  nodesFrom: (first: number, last: number) => readonly Node[],
  positions: ReadonlyMap<ValueId, number>,
  region: Region,
): Arrangement | undefined {
  let first = Number.POSITIVE_INFINITY;
  let last = -1;
  for (const id of region.cuts.keys()) {
    const position = positions.get(id) as number;
    first = Math.min(first, position);
    last = Math.max(last, position);
  }
  const before: Node[] = [];
  const inside: OpNode[] = [];
  const after: Node[] = [];
  const late = new Set<ValueId>();
  for (const node of nodesFrom(first, last)) {
    const operands = operandsOf(node);
    const waits = operands.some((id) => late.has(id));
    if (node.kind === 'op' && region.cuts.has(node.id)) {
      if (waits) return undefined;
      inside.push(node);
    } else if (waits || operands.some((id) => region.cuts.has(id))) {
      after.push(node);
      for (const { id } of definedBy(node)) late.add(id);
    } else {
      before.push(node);
    }
  }
  return { first, last, before, inside, after };
}

/** What a node of a region reads. Regions come from the search, so the flow exists. */
export function flowOf(node: OpNode, cut: NodeCut, types: GraphIndex['types']): Flow {
  if (isStreamed(node, cut)) return { operands: [cut], shifts: [], windows: [] };
  const pattern = patternOf(node, types);
  const flow = pattern && flowThrough(pattern, cut);
  invariant(flow !== undefined && !isObstacle(flow), () => `${node.id} cannot be cut: ${describeCut(cut)}`);
  return flow;
}

/** Is a value, or the one that it is derived from, computed in a region? */
export function computes(region: Region, id: ValueId): boolean {
  const base = baseOf(id);
  return region.cuts.has(id) || (base !== undefined && computes(region, base));
}

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

/** The loop over a region. With `sketched` it is built for measuring only; `build` makes the loops inside. */
function buildLoop(
  index: GraphIndex,
  { region, chunkSize, chunkName, inner = [] }: Choice,
  inside: readonly OpNode[],
  build: BuildLoop,
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
    body: replaceRegions(
      body,
      inner.map((choice) => renameChoice(choice, renamed)),
      build,
    ),
    results,
    carries,
    scope: commonScope(inside),
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

/** Is a value of the region an output of the graph or read by a node that is not in the region? */
export function usedOutside(index: GraphIndex, region: Region, value: ValueId): boolean {
  if (index.outputs.has(value)) return true;
  return (index.usedAt.get(value) ?? []).some((position) => {
    const user = index.graph.nodes[position] as Node;
    return user.kind === 'loop' || !region.cuts.has(user.id);
  });
}

/** What a region is cut along, for people: a dimension of the model where there is one. */
export function overName(region: Region, inside: readonly OpNode[]): string {
  for (let i = inside.length - 1; i >= 0; i--) {
    const node = inside[i] as OpNode;
    const cut = region.cuts.get(node.id) as NodeCut;
    const dim = cut.multiple === 1 && !isContraction(cut) ? node.symbolic?.[cut.axis] : undefined;
    if (typeof dim === 'string') return dim;
  }
  return `axis of ${region.extent}`;
}

function commonScope(nodes: readonly OpNode[]): string {
  const paths = nodes.map((node) => (node.scope === '' ? [] : node.scope.split('.')));
  const [first = []] = paths;
  let length = 0;
  while (length < first.length && paths.every((path) => path[length] === first[length])) length++;
  return first.slice(0, length).join('.');
}

/** The graph with a loop in place of every chosen region. Loops are numbered in execution order. */
export function placeLoops(graph: Graph, choices: readonly Choice[]): Graph {
  const fresh = freshNames(graph);
  const build: BuildLoop = (index, choice, inside) => {
    const names = { id: fresh('loop'), ...loopNames(overName(choice.region, inside), fresh), fresh };
    return buildLoop(index, choice, inside, build, names);
  };
  let count = 0;
  return numberLoops(replaceRegions(graph, choices, build), () => `loop${++count}`);
}

/** Like {@link placeLoops}, for measuring only: loop bodies show a full iteration, in numbers. */
export const sketchLoops = (graph: Graph, choices: readonly Choice[]): Graph =>
  replaceRegions(graph, choices, sketchLoop);

/** The loop of a choice as a full iteration sees it, in numbers. Names are no identifiers: nothing else has them. */
export function sketchLoop(index: GraphIndex, choice: Choice, inside: readonly OpNode[]): Built {
  const { region, chunkSize, inner } = choice;
  const known = sketches.get(region);
  if (known?.built.loop.chunkSize === chunkSize && known.inner === inner) return known.built;
  // A body is named after the graph around it, and its values after the body: names differ from those of loops around.
  const id = `${index.graph.name}'`;
  const names = { id, start: 'sketch_start', length: 'sketch_length', fresh: numbered(id) };
  const built = buildLoop(index, choice, inside, sketchLoop, names, true);
  sketches.set(region, { built, inner });
  return built;
}

/** The last sketch of every region: the search looks at the same choice in many combinations. */
const sketches = new WeakMap<Region, { built: Built; inner: Choice['inner'] }>();

type BuildLoop = (index: GraphIndex, choice: Choice, inside: readonly OpNode[]) => Built;

function replaceRegions(graph: Graph, choices: readonly Choice[], build: BuildLoop): Graph {
  if (choices.length === 0) return graph;
  // Loops keep the ids of the values they compute: who reads what stays as it is in the graph without loops.
  const index = indexGraph(graph);
  const firstOf = ({ region }: Choice): number =>
    index.definedAt.get([...region.cuts.keys()][0] as ValueId) ?? 0;
  /** At every position what stands there: a node, or a loop with what finishes what it carries, or nothing. */
  const nodes: (Node | readonly Node[])[] = [...graph.nodes];
  const positions = new Map(index.definedAt);
  for (const choice of [...choices].sort((a, b) => firstOf(a) - firstOf(b))) {
    const arrangement = arrangeAt(
      (first, last) => nodes.slice(first, last + 1).flat(),
      positions,
      choice.region,
    );
    invariant(arrangement !== undefined, 'a chosen region is not convex');
    const { first, last, before, inside, after } = arrangement;
    const { loop, finish } = build(index, choice, inside);
    const order = [...before, [loop, ...finish], ...after];
    for (let position = first; position <= last; position++) {
      const placed = order[position - first] ?? [];
      nodes[position] = placed;
      for (const node of 'kind' in placed ? [placed] : placed)
        for (const { id } of definedBy(node)) positions.set(id, position);
    }
  }
  return { ...graph, nodes: nodes.flat() };
}

function numberLoops(graph: Graph, next: () => string): Graph {
  const nodes = graph.nodes.map((node) => {
    if (node.kind === 'op') return node;
    const id = next();
    return { ...node, id, body: { ...numberLoops(node.body, next), name: id } };
  });
  return { ...graph, nodes };
}
