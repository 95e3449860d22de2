import { invariant } from '../../errors.ts';
import { type Bindings, evalShape, type Shape } from '../../ir/dims.ts';
import { loopSizes, unitsOf } from '../../ir/loop.ts';
import { BYTES_PER_ELEMENT, type OpNode, type TensorType, type ValueId } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import type { OpDef } from '../../ir/ops/op.ts';
import type { Program, Step, View } from '../../ir/program.ts';
import {
  contiguous,
  expandLayout,
  foldAxes,
  type Layout,
  permuteLayout,
  reshapeLayout,
  sliceLayout,
} from '../../layout/layout.ts';
import { evalAttrs } from '../graph/attrs.ts';
import type { CostModel, KernelRates } from './cost-model.ts';
import { type KernelClass, kernelClass } from './kernel-class.ts';

/** What one call of a kernel does. */
export interface CallWork {
  readonly kind: KernelClass;
  /** Passes over the operands: row statistics go before what is made of them. */
  readonly passes: number;
  readonly flops: number;
  /** Of operands, read once a pass, and of the result. */
  readonly bytes: number;
  /** Of the result. */
  readonly elements: number;
  /** Elements that the kernel goes through in one sweep. */
  readonly row: number;
}

/**
 * Seconds of one call: the roofline (Williams et al., 2009) of its class, with the part of it that so many elements, in
 * rows of such a length, can use.
 *
 *     passes · dispatch + max(flops / flopsPerSecond, bytes / bytesPerSecond)
 *       · (1 + halfElements / elements) · (1 + halfRow / row)
 */
export function callSeconds(work: Omit<CallWork, 'kind'>, rates: KernelRates): number {
  const { passes, flops, bytes, elements, row } = work;
  if (elements === 0) return passes * rates.dispatchSeconds;
  const busy = Math.max(flops / rates.flopsPerSecond, bytes / rates.bytesPerSecond);
  const idle = (1 + rates.halfElements / elements) * (1 + rates.halfRow / row);
  return passes * rates.dispatchSeconds + busy * idle;
}

/** A call of a lowered program, with its shapes in numbers. */
export interface Call {
  readonly node: OpNode;
  readonly work: CallWork;
  /** How often it runs: once an iteration in loops. */
  readonly times: number;
}

/**
 * Seconds of a lowered program on a device: the sum over all calls that it makes, on the slices they are given. `bindings`
 * give the named dimensions of a program that was not specialised.
 */
export function programSeconds(program: Program, costModel: CostModel, bindings: Bindings = {}): number {
  const { kernels, moduleSeconds } = costModel;
  return callsOf(program, bindings).reduce(
    (sum, { work, times }) => sum + times * (moduleSeconds + callSeconds(work, kernels[work.kind])),
    0,
  );
}

/**
 * The calls that a lowered program makes. What causal masks leave out makes the work of a loop grow evenly from its first
 * chunk to its last, so the calls of the chunks in the middle stand for those of all full ones; a shorter last one has
 * its own.
 */
export function callsOf({ inputs, params, steps }: Program, bindings: Bindings = {}): readonly Call[] {
  const walk = new Walk();
  for (const { id, shape, dtype } of [...inputs, ...params]) walk.know(id, evalShape(shape, bindings), dtype);
  walk.steps(steps, bindings, 1);
  return walk.calls;
}

/** A value as kernels see it, in numbers. */
interface Seen extends TensorType {
  readonly layout: Layout;
}

class Walk {
  readonly calls: Call[] = [];
  readonly #values = new Map<ValueId, Seen>();
  /** By what the work of a call depends on: equal layers do the same. */
  readonly #works = new Map<string, CallWork>();

  know(id: ValueId, shape: readonly number[], dtype: TensorType['dtype']): void {
    this.#values.set(id, { shape, dtype, layout: contiguous(shape) });
  }

  steps(steps: readonly Step[], bindings: Bindings, times: number): void {
    for (const step of steps) {
      switch (step.kind) {
        case 'alloc':
          this.know(step.value, evalShape(step.shape, bindings), step.dtype);
          break;
        case 'view': {
          const of = this.#value(step.of);
          const layout = viewed(of.layout, step.view, bindings);
          this.#values.set(step.value, { shape: layout.shape, dtype: of.dtype, layout });
          break;
        }
        case 'call': {
          const work = this.#work(step, bindings);
          this.calls.push({ node: step.node, work, times });
          break;
        }
        case 'loop':
          this.#loop(step, bindings, times);
          break;
        case 'free':
          break;
        default:
          step satisfies never;
      }
    }
  }

  #loop({ loop, steps }: Step & { kind: 'loop' }, bindings: Bindings, times: number): void {
    const { extent, chunkSize } = loopSizes(loop, bindings);
    const full = Math.floor(extent / chunkSize);
    const rest = extent - full * chunkSize;
    const at = (chunk: number, size: number, count: number): void =>
      this.steps(steps, unitsOf(loop, chunk * chunkSize, size, bindings), count);
    const middle = (full - 1) / 2;
    const places = Number.isInteger(middle) ? [middle] : [Math.floor(middle), Math.ceil(middle)];
    for (const chunk of places) at(chunk, chunkSize, (times * full) / places.length);
    if (rest > 0) at(full, rest, times);
  }

  #work({ node, operands, into, scratch }: Step & { kind: 'call' }, bindings: Bindings): CallWork {
    const seen = operands.map((id) => this.#value(id));
    const target = this.#value(into);
    const out = { shape: evalShape(node.shape, bindings), dtype: node.dtype };
    const layouts = [...seen.map(({ layout }) => layout), target.layout];
    const attrs = evalAttrs(node.attrs, bindings);
    const texts = layouts.map(({ shape, strides }) => `${shape.join()} ${strides.join()}`);
    const key = `${node.op} ${JSON.stringify(attrs)} ${out.shape.join()} ${texts.join(';')} ${scratch.length}`;
    let work = this.#works.get(key);
    if (!work) {
      work = workOfCall(opDef(node.op), seen, attrs, out, layouts, scratch.length);
      this.#works.set(key, work);
    }
    return work;
  }

  #value(id: ValueId): Seen {
    return this.#values.get(id) as Seen;
  }
}

/** What a call does, its shapes in numbers; `layouts` are those of operands and result. Every scratch takes a pass to fill. */
export function workOfCall(
  def: OpDef,
  operands: readonly TensorType[],
  attrs: OpNode['attrs'],
  out: TensorType,
  layouts: readonly Layout[],
  scratch: number,
): CallWork {
  const kind = kernelClass(def, operands, attrs, out);
  const elements = count(out.shape);
  // What only moves elements reads no more of an operand than it writes: the rows of a table that are asked for.
  const most = kind === 'copy' ? elements : Number.POSITIVE_INFINITY;
  const read = operands.reduce((sum, { shape }) => sum + Math.min(count(shape), most), 0);
  const passes = 1 + scratch;
  return {
    kind: kind === 'elementwise' && layouts.some(isScattered) ? 'copy' : kind,
    passes,
    flops: def.flops(operands, attrs, out),
    bytes: BYTES_PER_ELEMENT * (passes * read + elements),
    elements,
    row: rowOf(kind, operands, out, layouts),
  };
}

const count = (shape: Shape): number => shape.reduce<number>((product, dim) => product * (dim as number), 1);

/**
 * Sums of products sweep along the last axis of the result, row kernels along that of what they reduce, the others along
 * what lies in memory as one axis.
 */
function rowOf(
  kind: KernelClass,
  operands: readonly TensorType[],
  out: TensorType,
  layouts: readonly Layout[],
): number {
  const last = ({ shape }: TensorType): number => Math.max(1, (shape.at(-1) as number | undefined) ?? 1);
  if (kind === 'matmul' || kind === 'convolution') return last(out);
  if (kind === 'rows') return Math.max(last(out), ...operands.slice(0, 1).map(last));
  const target = layouts.at(-1) as Layout;
  const same = layouts.filter(({ shape }) => shape.join() === target.shape.join());
  return Math.max(1, foldAxes(same)[0]?.shape.at(-1) ?? 1);
}

/** Do neighbours along the innermost axis lie apart in memory? One element that is read again and again does not count. */
function isScattered({ shape, strides }: Layout): boolean {
  const inner = shape.findLastIndex((extent) => extent > 1);
  return inner >= 0 && (strides[inner] as number) > 1;
}

function viewed(layout: Layout, view: View, bindings: Bindings): Layout {
  switch (view.kind) {
    case 'same':
      return layout;
    case 'slice': {
      const [start, stop] = evalShape([view.start, view.stop], bindings);
      return sliceLayout(layout, view.axis, start as number, stop as number);
    }
    case 'permute':
      return permuteLayout(layout, view.axes);
    case 'reshape':
    case 'expand': {
      const shape = evalShape(view.shape, bindings);
      const found = view.kind === 'reshape' ? reshapeLayout(layout, shape) : expandLayout(layout, shape);
      invariant(found, () => `a ${view.kind} to [${shape.join(', ')}] is no view`);
      return found;
    }
    default:
      return view satisfies never;
  }
}
