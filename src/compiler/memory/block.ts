import { addDims, type Dim, evalDim, evalShape, sameShape } from '../../ir/dims.ts';
import {
  definedBy,
  type Graph,
  type LoopCarry,
  type LoopNode,
  type LoopResult,
  type Node,
  type OpNode,
  operandsOf,
  partType,
  type TensorType,
  type ValueId,
} from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { Step, View } from '../../ir/program.ts';
import { type Layout, reshapeLayout, sameLayout, sliceLayout } from '../../layout/layout.ts';
import { evalAttrs } from '../graph/attrs.ts';
import { overwritable } from '../graph/graph-index.ts';
import { numbered } from '../graph/names.ts';
import type { Place, Places } from './place.ts';
import { type Reads, readsInBody } from './reads.ts';
import { sketchedSteps } from './sketched-steps.ts';
import { StepWriter } from './step-writer.ts';
import { bodySurroundings, chunkOf, type Surroundings } from './surroundings.ts';
import { type TakeOver, takeOvers } from './take-over.ts';

/** Lowers nodes one after another. Used for whole graphs, for loop bodies and, by the search, for parts of graphs. */
export class Block {
  readonly #around: Surroundings;
  readonly #out: StepWriter;
  /** Results of the loop around that the body writes where they belong. */
  readonly #written = new Set<LoopResult>();
  /** Results of loops that are copied from chunks. */
  readonly indirect = new Set<LoopResult>();

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
    this.#out = new StepWriter(around, outer, owned, reads);
  }

  place(value: ValueId): Place {
    return this.#out.storages.place(value);
  }

  /** The steps of every node added, in order. */
  get groups(): readonly (readonly Step[])[] {
    return this.#out.groups;
  }

  /** Of the values that the nodes define. */
  get places(): Places {
    return this.#out.storages.places;
  }

  add(node: Node): void {
    this.#out.begin();
    for (const id of operandsOf(node)) this.#out.storages.read(id);
    if (node.kind === 'loop') this.#addLoop(node);
    else this.#addOp(node);
  }

  /** Frees what the block owns after its last use, but for what `kept` values lie in. */
  free(kept: ReadonlySet<ValueId>): void {
    this.#out.free(kept);
  }

  /**
   * Gives every output of the graph a storage of its own: copies those that are inputs, parameters or views of them,
   * and those that share a storage with an output before.
   */
  ownOutputs(outputs: Graph['outputs']): Graph['outputs'] {
    const claimed = new Set<ValueId>();
    return outputs.map((output) => {
      const place = this.place(output.value);
      if (this.#out.storages.owned.has(place.storage) && !claimed.has(place.storage)) {
        claimed.add(place.storage);
        return output;
      }
      this.#out.begin();
      const value = this.#around.fresh(`${output.value}_copy`);
      this.#out.alloc(value, place.type, 'output');
      this.#out.copy(output.value, value, value);
      claimed.add(value);
      return { name: output.name, value };
    });
  }

  #addOp(whole: OpNode): void {
    const node = this.#withParts(whole);
    if (!this.#addView(node)) {
      if (!this.#overwrite(node, whole)) this.#allocResult(node.id, node);
      this.#out.call(node, this.#out.storages.nameOf(node.id));
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
      this.#out.view(
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
    const { carried } = this.#out.storages;
    const candidates = overwritable(whole, { get: (id) => this.place(id).type });
    const target = candidates.find((i) => {
      const { storage, layout, name } = this.place(node.operands[i] as ValueId);
      return (
        (carried.has(storage)
          ? name !== undefined && this.#out.storages.isRead(storage)
          : this.#out.storages.dies(storage) && this.#out.storages.isWhole(storage, layout)) &&
        sameShape(layout.shape, evalShape(node.shape, this.#around.bindings)) &&
        node.operands.every((id, j) => {
          const other = this.place(id);
          return other.storage !== storage || (candidates.includes(j) && sameLayout(other.layout, layout));
        })
      );
    });
    if (target === undefined) return false;
    const operand = node.operands[target] as ValueId;
    const place = this.place(operand);
    if (carried.has(place.storage)) this.#out.see(node.id, { ...place, type: node });
    else this.#out.takeOver(operand, node.id, node);
    return true;
  }

  /** A place to write a value: its slice of a result of the loop around or, where it is none, a storage of its own. */
  #allocResult(value: ValueId, type: TensorType): void {
    const result = this.#writtenDirectly(value);
    if (!result) {
      this.#out.alloc(value, type, 'value');
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
    const source = this.#out.storages.nameOf(operand);
    const from = this.place(operand);
    const { bindings } = this.#around;
    const layout = def.layout(from.layout, evalAttrs(node.attrs, bindings), evalShape(node.shape, bindings));
    if (layout) {
      const { storage } = from;
      this.#out.view(
        { kind: 'view', value: node.id, of: source, view, node },
        { storage, layout, type: node },
      );
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
    else this.#out.alloc(node.id, node, 'value');
    const into = this.#around.fresh(`${node.id}_rows`);
    const { storage, layout } = this.place(node.id);
    const seen = target ?? (reshapeLayout(layout, from.layout.shape) as Layout);
    const { shape } = from.type;
    this.#out.view(
      { kind: 'view', value: into, of: node.id, view: { kind: 'reshape', shape } },
      { storage, layout: seen, type: from.type },
    );
    this.#out.copy(source, into, into, node);
  }

  /** Copies a value into the results that it is and that are not written yet. */
  #copyResults(value: ValueId): void {
    for (const result of this.#resultsOf(value)) {
      if (this.#written.has(result)) continue;
      const into = this.#around.fresh(`${result.id}_slice`);
      this.#resultSlice(result, into, this.place(value).type);
      this.#out.copy(value, into, into);
    }
  }

  /** `type` is that of the body's value. */
  #resultLayout({ id, axis }: LoopResult, { shape }: TensorType): Layout {
    const length = evalDim(shape[axis] as Dim, this.#around.bindings);
    return sliceLayout(this.place(id).layout, axis, 0, length);
  }

  /** Names the part of a loop result that this iteration writes. `type` is that of the body's value. */
  #resultSlice(result: LoopResult, as: ValueId, type: TensorType): void {
    const { loop } = this.#around.results as { loop: LoopNode };
    this.#out.view(
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
      if (over) this.#out.takeOver(over.storage, result.id, result);
      else this.#allocResult(result.id, result);
    }
    for (const carry of loop.carries) this.#startCarry(carry, loop.scope);
    const outer = new Map<ValueId, Place>();
    for (const id of operandsOf(loop)) {
      const place = this.place(id);
      outer.set(id, place);
      this.#out.use(place.storage);
    }
    for (const { id } of definedBy(loop)) outer.set(id, this.place(id));
    this.#out.loop(loop, this.#bodySteps(loop, outer));
    for (const { id } of definedBy(loop)) this.#copyResults(id);
  }

  #bodySteps(loop: LoopNode, outer: Places): readonly Step[] {
    const lowered = (fresh: Surroundings['fresh']): readonly Step[] => {
      const body = new Block(bodySurroundings(loop, { ...this.#around, fresh }, this.indirect), outer, {
        reads: this.#out.storages.inPlace ? readsInBody(loop) : undefined,
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
    this.#out.call({ kind: 'op', id, op: 'full', operands: [], attrs, shape, dtype, scope }, id);
  }

  /** Leaves every carried value where the next iteration finds it. */
  leave(loop: LoopNode): void {
    const moved = new Map<ValueId, ValueId>();
    const isHome = ({ id, value }: LoopCarry): boolean =>
      this.place(value).storage === this.place(id).storage && this.#out.storages.nameOf(value) === id;
    // Values that live in the storage of another carried value are saved before that is written.
    const homes = new Set(loop.carries.map(({ id }) => this.place(id).storage));
    for (const carry of loop.carries) {
      const { storage, type } = this.place(carry.value);
      if (isHome(carry) || !homes.has(storage)) continue;
      const saved = this.#around.fresh(`${carry.value}_saved`);
      this.#out.alloc(saved, type, 'value');
      this.#out.copy(carry.value, saved, saved, loop);
      moved.set(carry.value, saved);
    }
    for (const carry of loop.carries) {
      if (!isHome(carry)) this.#out.copy(moved.get(carry.value) ?? carry.value, carry.as, carry.id, loop);
    }
  }

  /** Loops inside loops take nothing over: their results are parts of those of the loop around, or small. */
  #takenOver(loop: LoopNode): ReadonlyMap<LoopResult, TakeOver> {
    if (this.#around.results) return new Map();
    return takeOvers(loop, { place: (id) => this.place(id), dies: (id) => this.#out.storages.dies(id) });
  }

  /** The slices an iteration sees, and results that are nothing but what the body was given. */
  enter(loop: LoopNode): void {
    this.#out.begin();
    const types = new Map(loop.body.inputs.map((input) => [input.id, input]));
    for (const slice of loop.slices) {
      const { storage, layout } = this.place(slice.operand);
      const type = types.get(slice.as) as TensorType;
      const length = evalDim(type.shape[slice.axis] as Dim, this.#around.bindings);
      this.#out.view(
        {
          kind: 'view',
          value: slice.as,
          of: this.#out.storages.nameOf(slice.operand),
          view: chunkOf(loop, slice),
        },
        {
          storage,
          layout: sliceLayout(layout, slice.axis, 0, length),
          type,
        },
      );
    }
    for (const { id, as } of loop.carries) {
      const place = this.place(id);
      this.#out.see(as, { ...place, name: id });
      if (this.#out.storages.inPlace) this.#out.storages.carried.add(place.storage);
    }
    for (const { id } of loop.body.inputs) this.#copyResults(id);
  }
}

/** How generated code writes a view op; undefined for ops that are not one of the four views. */
function viewOf({ op, attrs, shape }: OpNode): View | undefined {
  if (op === 'reshape' || op === 'expand') return { kind: op, shape };
  if (op === 'permute') return { kind: 'permute', axes: attrs.axes as readonly number[] };
  if (op !== 'slice') return undefined;
  const start = attrs.start as Dim;
  return { kind: 'slice', axis: attrs.axis as number, start, stop: addDims(start, attrs.length as Dim) };
}
