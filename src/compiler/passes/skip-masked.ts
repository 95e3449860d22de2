import { addDims, type Dim, dimNames, subDims, substituteDim } from '../../ir/dims.ts';
import { backward, type Cut, isObstacle } from '../../ir/flow.ts';
import type { LoopNode, OpNode, ValueId } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { Program, Step } from '../../ir/program.ts';
import { boundedScores } from '../graph/bounded-scores.ts';
import { knownPattern } from '../graph/graph-index.ts';
import { readBy, type StepOf } from './steps.ts';

/**
 * Leaves out work that causal masks throw away. In a loop over query rows, no row of a chunk sees a key after the chunk's
 * last row: softmax gives those keys exactly 0. What is computed for them — scores, masked scores, weights, and
 * their part of the weighted sum — is not computed: kernels see slices up to the last row. Not so where scores may be as low as
 * masked ones ({@link boundedScores}).
 *
 * Storages stay as they are. Kernels add in order of the keys, and what they would add after the last one is zeros, so results
 * keep their bits, as long as the values of later keys are finite (0 · ∞ is no zero).
 */
export function skipMasked(program: Program): Program {
  const taken = new Set<string>([...program.inputs, ...program.params].map(({ id }) => id));
  claim(program.steps, taken);
  const fresh = (wish: string): string => {
    let name = wish;
    for (let i = 2; taken.has(name); i++) name = `${wish}_${i}`;
    taken.add(name);
    return name;
  };
  return { ...program, steps: skipIn(program.steps, [], { fresh, isBounded: boundedScores(program) }) };
}

function claim(steps: readonly Step[], taken: Set<string>): void {
  for (const step of steps) {
    if (step.kind === 'alloc' || step.kind === 'view') taken.add(step.value);
    if (step.kind !== 'loop') continue;
    for (const { start, length } of [step.loop, ...step.loop.halos]) {
      taken.add(start);
      taken.add(length);
    }
    claim(step.steps, taken);
  }
}

interface Knowledge {
  readonly fresh: (wish: string) => string;
  readonly isBounded: (value: ValueId) => boolean;
}

function skipIn(steps: readonly Step[], loops: readonly LoopNode[], known: Knowledge): readonly Step[] {
  let current: readonly Step[] = steps.map(
    (step): Step =>
      step.kind === 'loop' ? { ...step, steps: skipIn(step.steps, [...loops, step.loop], known) } : step,
  );
  if (loops.length === 0) return current;
  for (const step of steps) {
    if (step.kind !== 'call' || step.node.op !== 'causalMask') continue;
    const seen = known.isBounded(step.operands[0] as ValueId) ? visibleColumns(step.node, loops) : undefined;
    if (seen !== undefined) current = new Skip(current, known.fresh, seen).from(step.node.id) ?? current;
  }
  return current;
}

/** How many columns the last row of a mask sees, where that is less than all in some iteration and at least one in every. */
function visibleColumns({ attrs, shape }: OpNode, loops: readonly LoopNode[]): Dim | undefined {
  const [rows, columns] = shape.slice(-2) as [Dim, Dim];
  const diagonal = subDims((attrs.rowStart as Dim) ?? 0, (attrs.columnStart as Dim) ?? 0);
  const seen = addDims(diagonal, rows);
  if (!loops.some((loop) => dimNames(seen).some((name) => name === loop.start || name === loop.length)))
    return undefined;
  const at = (start: (loop: LoopNode) => Dim): Readonly<Record<string, Dim>> =>
    Object.fromEntries(
      loops.flatMap((loop) => [
        [loop.start, start(loop)],
        [loop.length, subDims(loop.extent, start(loop))],
      ]),
    );
  const first = at(() => 0);
  // Starts and lengths that end at the last row: all of them must see the same columns.
  const last = substituteDim(
    seen,
    at((loop) => loop.extent),
  );
  const hidden = subDims(columns, last);
  const before = substituteDim(diagonal, first);
  const bounded = substituteDim(seen, first) === last && typeof hidden === 'number' && hidden >= 0;
  return bounded && typeof before === 'number' && before >= 0 ? seen : undefined;
}

/** The steps of a loop body while kernels are narrowed to the columns that are seen. */
class Skip {
  #steps: Step[];
  readonly #fresh: (wish: string) => string;
  readonly #seen: Dim;

  constructor(steps: readonly Step[], fresh: (wish: string) => string, seen: Dim) {
    this.#steps = [...steps];
    this.#fresh = fresh;
    this.#seen = seen;
  }

  /** The steps with the chain around a mask narrowed; undefined where the mask does not lead to softmax and a product. */
  from(mask: ValueId): readonly Step[] | undefined {
    const soft = this.#onlyUser(mask);
    const weighted = soft && this.#onlyUser(soft.into);
    if (soft?.node.op !== 'softmax' || weighted?.node.op !== 'matmul') return undefined;
    const columns = soft.node.shape.length - 1;
    const [weights, values] = weighted.operands as [ValueId, ValueId];
    const [, right] = knownPattern(weighted.node)?.operands ?? [];
    if (soft.node.attrs.axis !== columns || this.#producer(soft.into) !== soft) return undefined;
    if (weights !== soft.into || values === soft.into || !right) return undefined;
    const keys = this.#slice(values, right.length - 2);
    // Softmax needs its columns whole; those that are left out would be zeros.
    const operands = [this.#narrow(soft, columns, [{ axis: columns, multiple: 1 }]), keys.value];
    this.#replace(weighted, [keys, { ...weighted, operands, node: { ...weighted.node, operands } }]);
    return this.#steps;
  }

  /** Narrows what a call computes, and what it reads, as far back as nothing else needs it. Returns the name of what is left. */
  #narrow(call: StepOf<'call'>, axis: number, reads = this.#reads(call, axis)): ValueId {
    const views: StepOf<'view'>[] = [];
    const operands = call.operands.map((id, i) => {
      const cut = reads?.[i];
      if (cut === undefined) return id;
      const producer = this.#producer(id);
      if (producer && this.#onlyUser(id) === call && this.#reads(producer, cut.axis))
        return this.#narrow(producer, cut.axis);
      const view = this.#slice(id, cut.axis);
      views.push(view);
      return view.value;
    });
    const { node } = call;
    const shape = node.shape.map((dim, i) => (i === axis ? this.#seen : dim));
    const attrs = opDef(node.op).resize?.(node.attrs, shape) ?? node.attrs;
    const into = this.#slice(call.into, axis);
    const narrowed = { ...call, operands, into: into.value, node: { ...node, operands, attrs, shape } };
    this.#replace(call, [...views, into, narrowed]);
    return into.value;
  }

  /** What a kernel reads to compute only some of an axis; undefined where it cannot, or where its scratch would change. */
  #reads({ node, scratch }: StepOf<'call'>, axis: number): readonly (Cut | undefined)[] | undefined {
    const pattern = scratch.length === 0 ? knownPattern(node) : undefined;
    const flow = pattern && backward(pattern, { axis, multiple: 1 });
    if (!flow || isObstacle(flow)) return undefined;
    const isPlain = (cut: Cut | undefined): boolean =>
      cut === undefined || (cut.multiple === 1 && !cut.before && !cut.after);
    return flow.windows.length === 0 && flow.operands.every(isPlain) ? flow.operands : undefined;
  }

  /** The call that fills a storage of this body, or writes over one; undefined for anything else. */
  #producer(value: ValueId): StepOf<'call'> | undefined {
    const allocated = this.#steps.some(
      (step) =>
        (step.kind === 'alloc' || (step.kind === 'view' && step.view.kind === 'same')) &&
        step.value === value,
    );
    const writer = this.#steps.find((step) => step.kind === 'call' && step.into === value);
    return allocated && writer?.kind === 'call' ? writer : undefined;
  }

  /** The call that reads a value, if nothing else does. */
  #onlyUser(value: ValueId): StepOf<'call'> | undefined {
    const users = this.#steps.filter(
      (step) =>
        readBy(step).includes(value) ||
        // What is written in place of a value is written by a call that reads it.
        (step.kind === 'view' && step.of === value && step.view.kind !== 'same'),
    );
    return users.length === 1 && users[0]?.kind === 'call' ? users[0] : undefined;
  }

  #slice(of: ValueId, axis: number): StepOf<'view'> {
    const view = { kind: 'slice', axis, start: 0, stop: this.#seen } as const;
    return { kind: 'view', value: this.#fresh(`${of}_seen`), of, view };
  }

  #replace(call: StepOf<'call'>, by: readonly Step[]): void {
    this.#steps = this.#steps.flatMap((step) => (step === call ? by : [step]));
  }
}
