import { evalShape } from '../../ir/dims.ts';
import type { LoopNode, OpNode, TensorType, ValueId } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { Step } from '../../ir/program.ts';
import { contiguous } from '../../layout/layout.ts';
import type { Place, Places } from './place.ts';
import type { Reads } from './reads.ts';
import { Storages } from './storages.ts';
import type { Surroundings } from './surroundings.ts';

/** Writes the steps of a block, a group for every node, and keeps the books on storages. */
export class StepWriter {
  readonly groups: Step[][] = [];
  readonly storages: Storages;
  readonly #around: Surroundings;
  /** The group that uses a storage last, allocations included. */
  readonly #lastUse = new Map<ValueId, number>();
  #steps: Step[] = [];

  constructor(around: Surroundings, outer: Places, owned: Iterable<ValueId>, reads: Reads | undefined) {
    this.#around = around;
    this.storages = new Storages(outer, owned, reads);
  }

  /** Begins the next group. */
  begin(): void {
    this.#steps = [];
    this.groups.push(this.#steps);
  }

  /** A storage of its own for a value. */
  alloc(value: ValueId, { shape, dtype }: TensorType, role: 'value' | 'output'): void {
    this.#steps.push({ kind: 'alloc', value, shape, dtype, role });
    const layout = contiguous(evalShape(shape, this.#around.bindings));
    this.storages.allocate(value, { shape, dtype }, layout);
    this.use(value);
  }

  /** Shows a value in a storage that is there. */
  view(step: Step & { kind: 'view' }, place: Place): void {
    this.#steps.push(step);
    this.see(step.value, place);
  }

  /** Like {@link view}, where steps have a name for the value already. */
  see(value: ValueId, place: Place): void {
    this.storages.put(value, place);
    this.use(place.storage);
  }

  /** Names a value that is written over another. */
  takeOver(of: ValueId, value: ValueId, { shape, dtype }: TensorType): void {
    const { storage, layout } = this.storages.place(of);
    this.view(
      { kind: 'view', value, of: this.storages.nameOf(of), view: { kind: 'same' } },
      { storage, layout, type: { shape, dtype } },
    );
  }

  /** `into = copy(source)`. */
  copy(source: ValueId, id: ValueId, into: ValueId, from?: Pick<OpNode, 'scope' | 'at'>): void {
    const { shape, dtype } = this.storages.place(source).type;
    this.call(
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

  /** Runs a kernel, with scratch that lives while it does. */
  call(node: OpNode, into: ValueId): void {
    const operands = node.operands.map((id) => this.storages.place(id));
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
    for (const { storage } of operands) this.use(storage);
    this.use(this.storages.place(into).storage);
    const named = node.operands.map((id) => this.storages.nameOf(id));
    this.#steps.push({ kind: 'call', node, operands: named, into, scratch });
    for (const value of scratch) this.#steps.push({ kind: 'free', value });
  }

  loop(loop: LoopNode, steps: readonly Step[]): void {
    this.#steps.push({ kind: 'loop', loop, steps });
  }

  /**
   * Adds the frees, each right after the last use of its storage, except for the storages of `kept` values. What nothing
   * uses is freed before anything runs.
   */
  free(kept: ReadonlySet<ValueId>): void {
    const stays = new Set<ValueId>();
    for (const value of kept) stays.add(this.storages.place(value).storage);
    for (const storage of this.storages.owned) {
      if (stays.has(storage)) continue;
      const last = this.#lastUse.get(storage);
      const group = (this.groups[last ?? 0] ??= []);
      const step = { kind: 'free', value: storage } as const;
      if (last === undefined) group.unshift(step);
      else group.push(step);
    }
  }

  /** The current group uses a storage. */
  use(storage: ValueId): void {
    this.#lastUse.set(storage, this.groups.length - 1);
  }
}
