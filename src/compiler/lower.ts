import { invariant } from '../errors.ts';
import { addDims, type Bindings, type Dim, evalDim, evalShape, type Shape } from '../ir/dims.ts';
import { endOf, fullestIteration, rangeOf } from '../ir/loop.ts';
import {
  type DType,
  definedBy,
  type Graph,
  type LoopCarry,
  type LoopNode,
  type LoopResult,
  type LoopSlice,
  type Node,
  type OpNode,
  operandsOf,
  partType,
  type TensorType,
  type ValueId,
} from '../ir/node.ts';
import { opDef } from '../ir/ops/index.ts';
import type { Program, Step, View } from '../ir/program.ts';
import {
  contiguous,
  elementCount,
  isContiguous,
  type Layout,
  reshapeLayout,
  sameLayout,
  sliceLayout,
} from '../layout/layout.ts';
import { evalAttrs } from './attrs.ts';
import { overwritable } from './graph-index.ts';
import { freshNames, numbered } from './names.ts';
import type { Place, Places } from './place.ts';
import { sketchedSteps } from './sketched-steps.ts';
import { type TakeOver, takeOvers } from './take-over.ts';

/**
 * Makes memory explicit: every storage is allocated by one step, written by kernels (loops write their results through
 * slices of it), seen through views that cost nothing, and freed right after the last use of any view. `bindings` give
 * the named dimensions of a graph that is not specialised; which reshapes are views is decided for them. Results are
 * written over operands that nothing needs any more; without `inPlace` every op writes a storage of its own.
 */
export function lower(graph: Graph, bindings: Bindings = {}, { inPlace = true } = {}): Program {
  const places = inputPlaces(graph, bindings);
  const block = new Block({ fresh: freshNames(graph), sketched: false, bindings }, places, {
    owned: donatedTo(graph),
    reads: inPlace ? readsIn(graph.nodes, outputsOf(graph)) : undefined,
  });
  graph.nodes.forEach((node) => void block.add(node));
  const outputs = block.ownOutputs(graph.outputs);
  block.free(new Set(outputs.map((output) => output.value)));
  return {
    name: graph.name,
    inputs: graph.inputs,
    params: graph.params,
    steps: markOutputs(block.groups.flat(), new Set(outputs.map(({ value }) => block.place(value).storage))),
    outputs,
  };
}

/** The storages of inputs that a graph must free. */
export const donatedTo = ({ inputs }: Graph): ValueId[] =>
  inputs.flatMap(({ id, donated }) => (donated ? [id] : []));

/** The places of a graph's inputs and parameters. */
export function inputPlaces({ inputs, params }: Graph, bindings: Bindings = {}): Places {
  const places = new Map<ValueId, Place>();
  for (const value of [...inputs, ...params]) {
    const layout = contiguous(evalShape(value.shape, bindings));
    places.set(value.id, { storage: value.id, layout, type: value });
  }
  return places;
}

/** What is around the nodes of a block. */
export interface Surroundings {
  readonly fresh: (wish: string) => string;
  /** Whether loops are sketches of one full iteration, lowered for measuring only. */
  readonly sketched: boolean;
  /** Values of the names of the loops around: layouts are those of a full chunk. */
  readonly bindings: Bindings;
  /** In a loop body: where results go. */
  readonly results?: {
    readonly loop: LoopNode;
    readonly of: ReadonlyMap<ValueId, readonly LoopResult[]>;
    /** Results that are copied from chunks: their kernels read what they overwrite. */
    readonly indirect: ReadonlySet<LoopResult>;
  };
}

/** How often the nodes of a block read each value; infinitely often where it is needed after them. */
export interface Reads {
  readonly times: ReadonlyMap<ValueId, number>;
  /** The values that the nodes define. */
  readonly defined: ReadonlySet<ValueId>;
}

export function readsIn(nodes: readonly Node[], keeps: (value: ValueId) => boolean): Reads {
  const times = new Map<ValueId, number>();
  const defined = new Set<ValueId>();
  for (const node of nodes) {
    for (const id of operandsOf(node)) times.set(id, (times.get(id) ?? 0) + 1);
    for (const { id } of definedBy(node)) defined.add(id);
  }
  for (const id of [...times.keys(), ...defined]) if (keeps(id)) times.set(id, Number.POSITIVE_INFINITY);
  return { times, defined };
}

/** What the nodes of a loop's body read; what the loop carries is needed until the iteration ends. */
export function readsInBody({ body, carries }: LoopNode): Reads {
  const carried = new Set(carries.map(({ value }) => value));
  return readsIn(body.nodes, (value) => carried.has(value));
}

/** Whether a value is an output. */
export function outputsOf({ outputs }: Graph): (value: ValueId) => boolean {
  const values = new Set(outputs.map(({ value }) => value));
  return (value) => values.has(value);
}

/** Lowers nodes one after another. Used for whole graphs, for loop bodies and, by the search, for parts of graphs. */
export class Block {
  /** The steps of every node added, in order. */
  readonly groups: Step[][] = [];
  readonly #around: Surroundings;
  readonly #outer: Places;
  readonly #places = new Map<ValueId, Place>();
  /** Storages this block must free, in order of allocation. */
  readonly #owned: Set<ValueId>;
  readonly #lastUse = new Map<ValueId, number>();
  /** Results of the loop around that the body writes where they belong. */
  readonly #written = new Set<LoopResult>();
  readonly #reads: Reads | undefined;
  /** Results of loops that are copied from chunks. */
  readonly indirect = new Set<LoopResult>();
  /** Storages of what the loop around carries: a value may be written over the one before, once that is read. */
  readonly #carried = new Set<ValueId>();
  /** How often values seen in a storage are still to be read. */
  readonly #pending = new Map<ValueId, number>();
  #steps: Step[] = [];

  /**
   * `owned`: storages from outside that die in this block. `reads`: what the nodes to be added read; without them nothing
   * is written in place.
   */
  constructor(
    around: Surroundings,
    outer: Places,
    { owned = [], reads }: { readonly owned?: Iterable<ValueId>; readonly reads: Reads | undefined },
  ) {
    this.#around = around;
    this.#outer = outer;
    this.#owned = new Set(owned);
    this.#reads = reads;
    for (const id of reads?.times.keys() ?? []) {
      const place = reads?.defined.has(id) ? undefined : outer.get(id);
      if (place) this.#expect(id, place.storage);
    }
  }

  place(value: ValueId): Place {
    const place = this.#places.get(value) ?? this.#outer.get(value);
    invariant(place !== undefined, () => `${value} has no storage`);
    return place;
  }

  get places(): Places {
    return this.#places;
  }

  /** Group of the last use of every storage, allocations included. */
  get lastUse(): ReadonlyMap<ValueId, number> {
    return this.#lastUse;
  }

  add(node: Node): void {
    this.#steps = [];
    this.groups.push(this.#steps);
    for (const id of operandsOf(node)) {
      const { storage } = this.place(id);
      this.#pending.set(storage, (this.#pending.get(storage) ?? 0) - 1);
    }
    if (node.kind === 'loop') this.#addLoop(node);
    else this.#addOp(node);
  }

  /**
   * Adds the frees, each right after the last use of its storage, except for the storages of `kept` values. What nothing
   * uses is freed before anything runs.
   */
  free(kept: ReadonlySet<ValueId>): void {
    const stays = new Set<ValueId>();
    for (const value of kept) stays.add(this.place(value).storage);
    for (const storage of this.#owned) {
      if (stays.has(storage)) continue;
      const last = this.#lastUse.get(storage);
      const group = (this.groups[last ?? 0] ??= []);
      const step = { kind: 'free', value: storage } as const;
      if (last === undefined) group.unshift(step);
      else group.push(step);
    }
  }

  /**
   * Gives every output of the graph a storage of its own: copies those that are inputs, parameters or views of them,
   * and those that share a storage with an output before.
   */
  ownOutputs(outputs: Graph['outputs']): Graph['outputs'] {
    const claimed = new Set<ValueId>();
    return outputs.map((output) => {
      const place = this.place(output.value);
      if (this.#owned.has(place.storage) && !claimed.has(place.storage)) {
        claimed.add(place.storage);
        return output;
      }
      this.#steps = [];
      this.groups.push(this.#steps);
      const value = this.#around.fresh(`${output.value}_copy`);
      this.#alloc(value, place.type, 'output');
      this.#copy(output.value, value, value);
      claimed.add(value);
      return { name: output.name, value };
    });
  }

  #addOp(whole: OpNode): void {
    const node = this.#withParts(whole);
    if (!this.#addView(node)) {
      if (!this.#overwrite(node, whole)) this.#allocResult(node.id, node);
      this.#call(node, this.#nameOf(node.id));
    }
    this.#copyResults(node.id);
  }

  /** The node with views in place of the operands of which it reads a part. */
  #withParts(whole: OpNode): OpNode {
    if (!whole.reads) return whole;
    const { reads, ...node } = whole;
    const operands = [...node.operands];
    const { bindings } = this.#around;
    for (const part of reads) {
      const { operand, axis, start, length } = part;
      const of = operands[operand] as ValueId;
      const value = this.#around.fresh(`${of}_part`);
      const { storage, layout, type } = this.place(of);
      this.#view(
        { kind: 'view', value, of, view: { kind: 'slice', axis, start, stop: addDims(start, length) } },
        {
          storage,
          layout: sliceLayout(layout, axis, 0, evalDim(length, bindings)),
          type: partType(type, part),
        },
      );
      operands[operand] = value;
    }
    return { ...node, operands };
  }

  /** Lets an op write over an operand that nothing needs any more. False where there is none. */
  #overwrite(node: OpNode, whole: OpNode): boolean {
    if (this.#writtenDirectly(node.id)) return false;
    const candidates = overwritable(whole, { get: (id) => this.place(id).type });
    const target = candidates.find((i) => {
      const { storage, layout, name } = this.place(node.operands[i] as ValueId);
      return (
        (this.#carried.has(storage)
          ? name !== undefined && this.#pending.get(storage) === 0
          : this.#dies(storage) && this.#isWhole(storage, layout)) &&
        layout.shape.join() === evalShape(node.shape, this.#around.bindings).join() &&
        node.operands.every((id, j) => {
          const other = this.place(id);
          return other.storage !== storage || (candidates.includes(j) && sameLayout(other.layout, layout));
        })
      );
    });
    if (target === undefined) return false;
    const operand = node.operands[target] as ValueId;
    const place = this.place(operand);
    if (this.#carried.has(place.storage)) this.#see(node.id, { ...place, type: node });
    else this.#takeOver(operand, node.id, node);
    return true;
  }

  /** Names a value that is written over another. */
  #takeOver(of: ValueId, value: ValueId, { shape, dtype }: TensorType): void {
    const { storage, layout } = this.place(of);
    this.#view(
      { kind: 'view', value, of: this.#nameOf(of), view: { kind: 'same' } },
      { storage, layout, type: { shape, dtype } },
    );
  }

  /** Does this block free a storage of which nothing reads any value after the node being added? */
  #dies(storage: ValueId): boolean {
    return this.#reads !== undefined && this.#owned.has(storage) && this.#pending.get(storage) === 0;
  }

  #isWhole(storage: ValueId, layout: Layout): boolean {
    const { shape } = this.place(storage).layout;
    return layout.offset === 0 && isContiguous(layout) && elementCount(layout.shape) === elementCount(shape);
  }

  /** Counts what is still to be read of a value in its storage. */
  #expect(value: ValueId, storage: ValueId): void {
    this.#pending.set(storage, (this.#pending.get(storage) ?? 0) + (this.#reads?.times.get(value) ?? 0));
  }

  /** A place to write a value: its slice of a result of the loop around or, where it is none, a storage of its own. */
  #allocResult(value: ValueId, type: TensorType): void {
    const result = this.#writtenDirectly(value);
    if (!result) {
      this.#alloc(value, type, 'value');
      return;
    }
    this.#resultSlice(result, value, type);
    this.#written.add(result);
  }

  #resultsOf(value: ValueId): readonly LoopResult[] {
    return this.#around.results?.of.get(value) ?? [];
  }

  #writtenDirectly(value: ValueId): LoopResult | undefined {
    const { indirect } = this.#around.results ?? {};
    return this.#resultsOf(value).find((result) => !indirect?.has(result));
  }

  /** False for ops that compute. A reshape that must move its elements is copied. */
  #addView(node: OpNode): boolean {
    const def = opDef(node.op);
    const view = def.layout && viewOf(node);
    if (!def.layout || !view) return false;
    const [operand] = node.operands as [ValueId];
    const source = this.#nameOf(operand);
    const from = this.place(operand);
    const { bindings } = this.#around;
    const layout = def.layout(from.layout, evalAttrs(node.attrs, bindings), evalShape(node.shape, bindings));
    if (layout) {
      const { storage } = from;
      this.#view({ kind: 'view', value: node.id, of: source, view, node }, { storage, layout, type: node });
      return true;
    }
    this.#copyReshaped(node, source, from);
    return true;
  }

  /** A reshape whose operand's strides do not allow a view: copies into the result, seen in the operand's shape. */
  #copyReshaped(node: OpNode, source: ValueId, from: Place): void {
    const result = this.#writtenDirectly(node.id);
    const target = result && reshapeLayout(this.#resultLayout(result, node), from.layout.shape);
    if (target) this.#allocResult(node.id, node);
    else this.#alloc(node.id, node, 'value');
    const into = this.#around.fresh(`${node.id}_rows`);
    const { storage, layout } = this.place(node.id);
    const seen = target ?? (reshapeLayout(layout, from.layout.shape) as Layout);
    const { shape } = from.type;
    this.#view(
      { kind: 'view', value: into, of: node.id, view: { kind: 'reshape', shape } },
      { storage, layout: seen, type: from.type },
    );
    this.#copy(source, into, into, node);
  }

  /** Copies a value into the results that it is and that are not written yet. */
  #copyResults(value: ValueId): void {
    for (const result of this.#resultsOf(value)) {
      if (this.#written.has(result)) continue;
      const into = this.#around.fresh(`${result.id}_slice`);
      this.#resultSlice(result, into, this.place(value).type);
      this.#copy(value, into, into);
    }
  }

  /** `into = copy(source)`. */
  #copy(source: ValueId, id: ValueId, into: ValueId, from?: Pick<OpNode, 'scope' | 'at'>): void {
    const { shape, dtype } = this.place(source).type;
    this.#call(
      {
        kind: 'op',
        id,
        op: 'copy',
        operands: [source],
        attrs: {},
        shape,
        dtype,
        scope: from?.scope ?? '',
        ...(from?.at ? { at: from.at } : {}),
      },
      into,
    );
  }

  #call(node: OpNode, into: ValueId): void {
    const operands = node.operands.map((id) => this.place(id));
    const shapes =
      opDef(node.op).scratch?.(
        operands.map(({ type }) => type),
        node.attrs,
        node,
      ) ?? [];
    const scratch = shapes.map((shape) => {
      const id = this.#around.fresh(`${node.id}_scratch`);
      this.#steps.push({ kind: 'alloc', value: id, shape, dtype: 'f32', role: 'scratch' });
      return id;
    });
    for (const { storage } of operands) this.#use(storage);
    this.#use(this.place(into).storage);
    const named = node.operands.map((id) => this.#nameOf(id));
    this.#steps.push({ kind: 'call', node, operands: named, into, scratch });
    for (const value of scratch) this.#steps.push({ kind: 'free', value });
  }

  #nameOf(value: ValueId): ValueId {
    return this.place(value).name ?? value;
  }

  #alloc(value: ValueId, { shape, dtype }: { shape: Shape; dtype: DType }, role: 'value' | 'output'): void {
    this.#steps.push({ kind: 'alloc', value, shape, dtype, role });
    const layout = contiguous(evalShape(shape, this.#around.bindings));
    this.#places.set(value, { storage: value, layout, type: { shape, dtype } });
    this.#owned.add(value);
    this.#expect(value, value);
    this.#use(value);
  }

  #view(step: Step & { kind: 'view' }, place: Place): void {
    this.#steps.push(step);
    this.#see(step.value, place);
  }

  #see(value: ValueId, place: Place): void {
    this.#places.set(value, place);
    this.#expect(value, place.storage);
    this.#use(place.storage);
  }

  #use(storage: ValueId): void {
    this.#lastUse.set(storage, this.groups.length - 1);
  }

  /** `type` is that of the body's value. */
  #resultLayout({ id, axis }: LoopResult, { shape }: TensorType): Layout {
    const length = evalDim(shape[axis] as Dim, this.#around.bindings);
    return sliceLayout(this.place(id).layout, axis, 0, length);
  }

  /** Names the part of a loop result that this iteration writes. `type` is that of the body's value. */
  #resultSlice(result: LoopResult, as: ValueId, type: TensorType): void {
    const { loop } = this.#around.results as { loop: LoopNode };
    this.#view(
      { kind: 'view', value: as, of: result.id, view: chunkOf(loop, result) },
      {
        storage: this.place(result.id).storage,
        layout: this.#resultLayout(result, type),
        type: { shape: type.shape, dtype: type.dtype },
      },
    );
  }

  #addLoop(loop: LoopNode): void {
    const taken = this.#takenOver(loop);
    for (const result of loop.results) {
      const over = taken.get(result);
      if (over?.indirect) this.indirect.add(result);
      if (over) this.#takeOver(over.storage, result.id, result);
      else this.#allocResult(result.id, result);
    }
    for (const carry of loop.carries) this.#startCarry(carry, loop.scope);
    const outer = new Map<ValueId, Place>();
    for (const id of operandsOf(loop)) {
      const place = this.place(id);
      outer.set(id, place);
      this.#use(place.storage);
    }
    for (const { id } of definedBy(loop)) outer.set(id, this.place(id));
    this.#steps.push({ kind: 'loop', loop, steps: this.#bodySteps(loop, outer) });
    for (const { id } of definedBy(loop)) this.#copyResults(id);
  }

  #bodySteps(loop: LoopNode, outer: Places): readonly Step[] {
    const lowered = (fresh: Surroundings['fresh']): readonly Step[] => {
      const body = new Block(bodySurroundings(loop, { ...this.#around, fresh }, this.indirect), outer, {
        reads: this.#reads && readsInBody(loop),
      });
      body.enter(loop);
      for (const node of loop.body.nodes) body.add(node);
      body.leave(loop);
      body.free(new Set());
      return body.groups.flat();
    };
    if (!this.#around.sketched) return lowered(this.#around.fresh);
    return sketchedSteps(loop, outer, this.indirect, () => lowered(numbered(`${loop.id} `)));
  }

  /** A storage for a carried value, filled with what it starts from. */
  #startCarry({ id, shape, dtype, init }: LoopCarry, scope: string): void {
    this.#allocResult(id, { shape, dtype });
    const attrs = { shape, value: init };
    this.#call({ kind: 'op', id, op: 'full', operands: [], attrs, shape, dtype, scope }, id);
  }

  /** Leaves every carried value where the next iteration finds it. */
  leave(loop: LoopNode): void {
    this.#steps = this.groups.at(-1) as Step[];
    const moved = new Map<ValueId, ValueId>();
    const isHome = ({ id, value }: LoopCarry): boolean =>
      this.place(value).storage === this.place(id).storage && this.#nameOf(value) === id;
    // Values that live in the storage of another carried value are saved before that is written.
    const homes = new Set(loop.carries.map(({ id }) => this.place(id).storage));
    for (const carry of loop.carries) {
      const { storage, type } = this.place(carry.value);
      if (isHome(carry) || !homes.has(storage)) continue;
      const saved = this.#around.fresh(`${carry.value}_saved`);
      this.#alloc(saved, type, 'value');
      this.#copy(carry.value, saved, saved, loop);
      moved.set(carry.value, saved);
    }
    for (const carry of loop.carries) {
      if (!isHome(carry)) this.#copy(moved.get(carry.value) ?? carry.value, carry.as, carry.id, loop);
    }
  }

  /** Loops inside loops take nothing over: their results are parts of those of the loop around, or small. */
  #takenOver(loop: LoopNode): ReadonlyMap<LoopResult, TakeOver> {
    if (this.#around.results) return new Map();
    return takeOvers(loop, { place: (id) => this.place(id), dies: (id) => this.#dies(id) });
  }

  /** The slices an iteration sees, and results that are nothing but what the body was given. */
  enter(loop: LoopNode): void {
    this.#steps = [];
    this.groups.push(this.#steps);
    const types = new Map(loop.body.inputs.map((input) => [input.id, input]));
    for (const slice of loop.slices) {
      const { storage, layout } = this.place(slice.operand);
      const type = types.get(slice.as) as TensorType;
      const length = evalDim(type.shape[slice.axis] as Dim, this.#around.bindings);
      this.#view(
        { kind: 'view', value: slice.as, of: this.#nameOf(slice.operand), view: chunkOf(loop, slice) },
        {
          storage,
          layout: sliceLayout(layout, slice.axis, 0, length),
          type,
        },
      );
    }
    for (const { id, as } of loop.carries) {
      const place = this.place(id);
      this.#see(as, { ...place, name: id });
      if (this.#reads) this.#carried.add(place.storage);
    }
    for (const { id } of loop.body.inputs) this.#copyResults(id);
  }
}

/** What is around the nodes of a loop's body. */
export const bodySurroundings = (
  loop: LoopNode,
  around: Surroundings,
  indirect: ReadonlySet<LoopResult>,
): Surroundings => ({
  fresh: around.fresh,
  sketched: around.sketched,
  bindings: fullestIteration(loop, around.bindings),
  results: { loop, of: resultsByValue(loop), indirect },
});

function resultsByValue(loop: LoopNode): Map<ValueId, LoopResult[]> {
  const of = new Map<ValueId, LoopResult[]>();
  for (const result of loop.results) of.set(result.value, [...(of.get(result.value) ?? []), result]);
  return of;
}

const chunkOf = (loop: LoopNode, cut: LoopSlice | LoopResult): View => {
  const range = rangeOf(loop, cut);
  return { kind: 'slice', axis: cut.axis, start: range.start, stop: endOf(range) };
};

/** How generated code writes a view op; undefined for ops that are not one of the four views. */
function viewOf({ op, attrs, shape }: OpNode): View | undefined {
  if (op === 'reshape' || op === 'expand') return { kind: op, shape };
  if (op === 'permute') return { kind: 'permute', axes: attrs.axes as readonly number[] };
  if (op !== 'slice') return undefined;
  const start = attrs.start as Dim;
  return { kind: 'slice', axis: attrs.axis as number, start, stop: addDims(start, attrs.length as Dim) };
}

const markOutputs = (steps: readonly Step[], storages: ReadonlySet<ValueId>): Step[] =>
  steps.map((step) =>
    step.kind === 'alloc' && storages.has(step.value) ? { ...step, role: 'output' as const } : step,
  );
