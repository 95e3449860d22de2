import { mapAttrDims } from '../../src/compiler/graph/attrs.ts';
import { type Bindings, evalDim, evalShape } from '../../src/ir/dims.ts';
import { iterationOf, loopSizes } from '../../src/ir/loop.ts';
import { BYTES_PER_ELEMENT, type ValueId } from '../../src/ir/node.ts';
import { opDef } from '../../src/ir/ops/index.ts';
import type { Program, Step, View } from '../../src/ir/program.ts';
import {
  contiguous,
  elementCount,
  expandLayout,
  type Layout,
  permuteLayout,
  reshapeLayout,
  sliceLayout,
} from '../../src/layout/layout.ts';
import { randomSource } from '../../src/testing/random.ts';

interface Storage {
  readonly name: string;
  readonly data: Float64Array;
  readonly kind: 'input' | 'param' | 'owned';
  alive: boolean;
}

interface Seen {
  readonly storage: Storage;
  readonly layout: Layout;
}

export interface Interpretation {
  readonly outputs: Readonly<Record<string, { shape: readonly number[]; data: Float64Array }>>;
  /** Most live activation bytes. */
  readonly peakBytes: number;
}

export type Data = Readonly<Record<ValueId, ArrayLike<number>>>;

/**
 * Executes a lowered program step by step with the float64 reference of every op, counting live bytes. Throws on
 * reading elements nobody wrote, on use after free, on double frees, and on storages that are neither freed nor outputs.
 * `bindings` give the names that a program for a range leaves open.
 */
export function interpret(program: Program, data: Data, bindings: Bindings = {}): Interpretation {
  const values = new Map<ValueId, Seen>();
  const owned = new Set<Storage>();
  let live = 0;
  let peak = 0;
  for (const [kind, list] of [
    ['input', program.inputs],
    ['param', program.params],
  ] as const) {
    for (const { id, shape, donated = false } of list as Program['inputs']) {
      const layout = contiguous(evalShape(shape, bindings));
      const storage: Storage = {
        name: id,
        data: Float64Array.from(data[id] as ArrayLike<number>),
        kind: donated ? 'owned' : kind,
        alive: true,
      };
      if (donated) owned.add(storage);
      if (storage.data.length !== elementCount(layout.shape)) throw new Error(`wrong length for ${id}`);
      values.set(id, { storage, layout });
      if (kind === 'input') live += storage.data.length * BYTES_PER_ELEMENT;
    }
  }
  peak = live;
  const value = (id: ValueId): Seen => {
    const seen = values.get(id);
    if (!seen) throw new Error(`${id} is not defined`);
    if (!seen.storage.alive)
      throw new Error(`${id} is used after its storage ${seen.storage.name} was freed`);
    return seen;
  };
  const run = (steps: readonly Step[], bindings: Bindings): void => {
    for (const step of steps) {
      switch (step.kind) {
        case 'alloc': {
          const layout = contiguous(evalShape(step.shape, bindings));
          const cells = new Float64Array(elementCount(layout.shape)).fill(Number.NaN);
          const storage: Storage = { name: step.value, data: cells, kind: 'owned', alive: true };
          values.set(step.value, { storage, layout });
          owned.add(storage);
          live += cells.length * BYTES_PER_ELEMENT;
          peak = Math.max(peak, live);
          break;
        }
        case 'view': {
          const { storage, layout } = value(step.of);
          values.set(step.value, { storage, layout: see(layout, step.view, bindings) });
          break;
        }
        case 'free': {
          const { storage } = value(step.value);
          if (storage.kind !== 'owned') throw new Error(`${step.value} is not ours to free`);
          storage.alive = false;
          owned.delete(storage);
          live -= storage.data.length * BYTES_PER_ELEMENT;
          break;
        }
        case 'call': {
          const operands = step.operands.map(value);
          const into = value(step.into);
          for (const id of step.scratch) value(id);
          operands.forEach(({ storage, layout }, i) => {
            if (storage !== into.storage || !overlaps(layout, into.layout)) return;
            const same = offsets(layout).every((offset, at) => offset === offsets(into.layout)[at]);
            if (!same || !opDef(step.node.op).inPlace?.includes(i))
              throw new Error(`${step.node.id} reads where it writes`);
          });
          const attrs = mapAttrDims(step.node.attrs, (dim) => evalDim(dim, bindings));
          const shape = evalShape(step.node.shape, bindings);
          const read = operands.map(({ storage, layout }, i) => {
            const cells = gather(storage.data, layout);
            if (cells.some(Number.isNaN))
              throw new Error(`${step.node.id} reads unwritten ${step.operands[i]}`);
            return { shape: layout.shape, data: cells };
          });
          if (shape.join() !== into.layout.shape.join()) {
            throw new Error(`${step.node.id} is [${shape}], ${step.into} is [${into.layout.shape}]`);
          }
          scatter(into.storage.data, into.layout, opDef(step.node.op).reference(read, attrs, shape));
          break;
        }
        case 'loop': {
          const { loop } = step;
          const { chunks } = loopSizes(loop, bindings);
          for (let i = 0; i < chunks; i++) run(step.steps, iterationOf(loop, i, bindings));
          break;
        }
        default:
          step satisfies never;
      }
    }
  };
  run(program.steps, bindings);
  const outputs: Record<string, { shape: readonly number[]; data: Float64Array }> = {};
  const kept = new Set<Storage>();
  for (const { name, value: id } of program.outputs) {
    const { storage, layout } = value(id);
    if (storage.kind !== 'owned') throw new Error(`output ${name} is not a storage of its own`);
    if (kept.has(storage)) throw new Error(`output ${name} shares its storage`);
    kept.add(storage);
    outputs[name] = { shape: layout.shape, data: gather(storage.data, layout) };
  }
  for (const storage of owned) if (!kept.has(storage)) throw new Error(`${storage.name} is never freed`);
  return { outputs, peakBytes: peak };
}

function see(layout: Layout, view: View, bindings: Bindings): Layout {
  switch (view.kind) {
    case 'same':
      return layout;
    case 'slice': {
      const [start, stop] = [evalDim(view.start, bindings), evalDim(view.stop, bindings)];
      const extent = layout.shape[view.axis] as number;
      if (start < 0 || stop > extent || stop <= start) throw new Error(`slice ${start}…${stop} of ${extent}`);
      return sliceLayout(layout, view.axis, start, stop);
    }
    case 'permute':
      return permuteLayout(layout, view.axes);
    case 'reshape':
    case 'expand': {
      const shape = evalShape(view.shape, bindings);
      const seen = view.kind === 'reshape' ? reshapeLayout(layout, shape) : expandLayout(layout, shape);
      if (!seen)
        throw new Error(`[${layout.shape}] with strides [${layout.strides}] cannot be seen as [${shape}]`);
      return seen;
    }
    default:
      return view satisfies never;
  }
}

function offsets(layout: Layout): number[] {
  let found = [layout.offset];
  layout.shape.forEach((extent, axis) => {
    const stride = layout.strides[axis] as number;
    found = found.flatMap((offset) => Array.from({ length: extent }, (_, i) => offset + i * stride));
  });
  return found;
}

const gather = (data: Float64Array, layout: Layout): Float64Array =>
  Float64Array.from(offsets(layout), (offset) => data[offset] as number);

function scatter(data: Float64Array, layout: Layout, values: Float64Array): void {
  offsets(layout).forEach((offset, i) => {
    data[offset] = values[i] as number;
  });
}

function overlaps(a: Layout, b: Layout): boolean {
  const cells = new Set(offsets(a));
  return offsets(b).some((offset) => cells.has(offset));
}

/** Numbers that repeat from run to run: i32 inputs get small ids. */
export function randomData(program: Program, seed = 1): Data {
  const next = randomSource(seed);
  const fill = ({ shape, dtype }: Program['inputs'][number] | Program['params'][number]): Float64Array =>
    Float64Array.from({ length: elementCount(evalShape(shape, {})) }, () =>
      dtype === 'i32' ? Math.floor(next() * 7) : next() * 2 - 1,
    );
  return Object.fromEntries([...program.inputs, ...program.params].map((value) => [value.id, fill(value)]));
}
