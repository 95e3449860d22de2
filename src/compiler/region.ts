import { invariant } from '../errors.ts';
import { addDims, type Dim, divDims, type Shape } from '../ir/dims.ts';
import { backward, type Cut, type Flow, isContraction, isObstacle, type NodeCut } from '../ir/flow.ts';
import type {
  Graph,
  GraphInput,
  LoopNode,
  LoopResult,
  LoopSlice,
  Node,
  OpNode,
  TensorType,
  ValueId,
} from '../ir/node.ts';
import { definedBy, operandsOf } from '../ir/node.ts';
import { opDef } from '../ir/ops/index.ts';
import { times } from './attrs.ts';
import { type GraphIndex, indexGraph, inheritPattern, patternOf } from './graph-index.ts';
import { freshNames, loopNames, numbered } from './names.ts';

/** Nodes to run inside one loop, in execution order, each with the one axis it is cut along. */
export interface Region {
  readonly cuts: ReadonlyMap<ValueId, NodeCut>;
  /** Units of the loop: every node's cut axis has `multiple · extent` elements. */
  readonly extent: number;
}

/** Does every storage of the body grow with the chunk size, from nothing? */
export const isProportional = ({ cuts }: Region): boolean =>
  [...cuts.values()].every((cut) => !isContraction(cut));

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
  const cuts = new Map([...region.cuts].map(([id, cut]) => [names.get(id) ?? id, cut]));
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
  arrangeAt(graph.nodes, definedAt, region);

/** The same for nodes at given positions; nodes that loops have taken away are undefined. */
function arrangeAt(
  nodes: readonly (Node | undefined)[],
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
  for (let position = first; position <= last; position++) {
    const node = nodes[position];
    if (!node) continue;
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
export function flowOf(node: OpNode, cut: Cut, types: GraphIndex['types']): Flow {
  const pattern = patternOf(node, types);
  const flow = pattern && backward(pattern, cut);
  invariant(flow !== undefined && !isObstacle(flow), () => `${node.id} cannot be cut along axis ${cut.axis}`);
  return flow;
}

export interface LoopNames {
  readonly id: string;
  readonly start: string;
  readonly length: string;
  readonly fresh: (wish: string) => string;
}

/**
 * The loop over a region. `unit` replaces the names of start and length in shapes and attributes when the loop is
 * built for measuring only; `build` makes the loops inside.
 */
function buildLoop(
  index: GraphIndex,
  { region, chunkSize, chunkName, inner = [] }: Choice,
  inside: readonly OpNode[],
  build: BuildLoop,
  names: LoopNames,
  unit: { readonly start: Dim; readonly length: Dim } = names,
): LoopNode {
  const slices = new Map<string, LoopSlice>();
  const whole = new Set<ValueId>();
  const renamed = new Map<ValueId, ValueId>();
  const results: LoopResult[] = [];
  for (const node of inside) {
    if (!usedOutside(index, region, node.id)) continue;
    const value = names.fresh(`${node.id}_chunk`);
    renamed.set(node.id, value);
    const { shape, dtype } = node;
    results.push({ kind: 'concat', id: node.id, value, ...(region.cuts.get(node.id) as Cut), shape, dtype });
  }
  const chunkShape = (shape: Shape, cut: Cut): Shape =>
    shape.map((dim, axis) => (axis === cut.axis ? times(cut.multiple, unit.length) : dim));
  const read = (id: ValueId, cut: Cut | undefined): ValueId => {
    if (region.cuts.has(id)) return renamed.get(id) ?? id;
    if (cut === undefined) {
      whole.add(id);
      return id;
    }
    const key = `${id} ${cut.axis} ${cut.multiple}`;
    let slice = slices.get(key);
    if (!slice) {
      slice = { operand: id, as: names.fresh(`${id}_slice`), ...cut };
      slices.set(key, slice);
    }
    return slice.as;
  };
  const nodes = inside.map((node): OpNode => {
    const cut = region.cuts.get(node.id) as Cut;
    const flow = flowOf(node, cut, index.types);
    const shape = chunkShape(node.shape, cut);
    let attrs = node.attrs;
    for (const { attr, multiple } of flow.shifts) {
      const shift = times(multiple, unit.start);
      attrs = { ...attrs, [attr]: addDims((attrs[attr] as Dim | undefined) ?? 0, shift) };
    }
    const part = {
      ...node,
      id: renamed.get(node.id) ?? node.id,
      operands: node.operands.map((id, i) => read(id, flow.operands[i])),
      attrs: opDef(node.op).resize?.(attrs, shape) ?? attrs,
      shape,
    };
    inheritPattern(part, node, index.types, cut);
    return part;
  });
  const type = (id: ValueId): TensorType => index.types.get(id) as TensorType;
  const inputs: GraphInput[] = [...slices.values()].map((slice) => {
    const { shape, dtype } = type(slice.operand);
    return { id: slice.as, shape: chunkShape(shape, slice), dtype };
  });
  for (const id of whole) inputs.push({ id, shape: type(id).shape, dtype: type(id).dtype });
  const body: Graph = {
    name: names.id,
    dims: [names.start, names.length],
    inputs,
    params: [],
    nodes,
    outputs: results.map(({ id, value }) => ({ name: id, value })),
  };
  return {
    kind: 'loop',
    id: names.id,
    over: overName(region, inside),
    extent: extentOf(index, region, [...slices.values()]),
    chunkSize: chunkName ?? chunkSize,
    start: names.start,
    length: names.length,
    slices: [...slices.values()],
    whole: [...whole],
    body: replaceRegions(
      body,
      inner.map((choice) => renameChoice(choice, renamed)),
      build,
    ),
    results,
    scope: commonScope(inside),
  };
}

/** Units of a region's loop, in the dimensions of the graph. */
function extentOf({ types }: GraphIndex, region: Region, slices: readonly LoopSlice[]): Dim {
  const cut = [...region.cuts].flatMap(([id, cut]) => (isContraction(cut) ? [] : [[id, cut] as const]));
  for (const slice of slices) cut.push([slice.operand, slice]);
  const extents = cut.map(([id, { axis, multiple }]) =>
    divDims((types.get(id) as TensorType).shape[axis] as Dim, multiple),
  );
  const [extent] = extents;
  invariant(
    extent !== undefined && extents.every((other) => other === extent),
    () => `the nodes of a region are cut into ${extents.join(', ')} units`,
  );
  return extent;
}

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
    const cut = region.cuts.get(node.id) as Cut;
    const dim = cut.multiple === 1 ? node.symbolic?.[cut.axis] : undefined;
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

/** Like {@link placeLoops}, for measuring only: loop bodies show their first iteration, in numbers. */
export const sketchLoops = (graph: Graph, choices: readonly Choice[]): Graph =>
  replaceRegions(graph, choices, sketchLoop);

/** The loop of a choice as its first iteration sees it, in numbers. Names are no identifiers: nothing else has them. */
export function sketchLoop(index: GraphIndex, choice: Choice, inside: readonly OpNode[]): LoopNode {
  const { region, chunkSize, inner } = choice;
  const known = sketches.get(region);
  if (known?.loop.chunkSize === chunkSize && known.inner === inner) return known.loop;
  // A body is named after the graph around it, and its values after the body: names differ from those of loops around.
  const id = `${index.graph.name}'`;
  const names = { id, start: 'sketch start', length: 'sketch length', fresh: numbered(id) };
  const loop = buildLoop(index, choice, inside, sketchLoop, names, { start: 0, length: chunkSize });
  sketches.set(region, { loop, inner });
  return loop;
}

/** The last sketch of every region: the search looks at the same choice in many combinations. */
const sketches = new WeakMap<Region, { loop: LoopNode; inner: Choice['inner'] }>();

type BuildLoop = (index: GraphIndex, choice: Choice, inside: readonly OpNode[]) => LoopNode;

function replaceRegions(graph: Graph, choices: readonly Choice[], build: BuildLoop): Graph {
  if (choices.length === 0) return graph;
  // Loops keep the ids of the values they compute: who reads what stays as it is in the graph without loops.
  const index = indexGraph(graph);
  const firstOf = ({ region }: Choice): number =>
    index.definedAt.get([...region.cuts.keys()][0] as ValueId) ?? 0;
  const nodes: (Node | undefined)[] = [...graph.nodes];
  const positions = new Map(index.definedAt);
  for (const choice of [...choices].sort((a, b) => firstOf(a) - firstOf(b))) {
    const arrangement = arrangeAt(nodes, positions, choice.region);
    invariant(arrangement !== undefined, 'a chosen region is not convex');
    const { first, last, before, inside, after } = arrangement;
    const order = [...before, build(index, choice, inside), ...after];
    for (let position = first; position <= last; position++) {
      const node = order[position - first];
      nodes[position] = node;
      for (const { id } of node ? definedBy(node) : []) positions.set(id, position);
    }
  }
  return { ...graph, nodes: nodes.filter((node) => node !== undefined) };
}

function numberLoops(graph: Graph, next: () => string): Graph {
  const nodes = graph.nodes.map((node) => {
    if (node.kind === 'op') return node;
    const id = next();
    return { ...node, id, body: { ...numberLoops(node.body, next), name: id } };
  });
  return { ...graph, nodes };
}
