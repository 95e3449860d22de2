import type { RateSample } from '../../compiler/cost/fit/fit-rates.ts';
import type { KernelClass } from '../../compiler/cost/kernel-class.ts';
import { workOfCall } from '../../compiler/cost/seconds.ts';
import { type Attrs, isTextAttr, type TensorType } from '../../ir/node.ts';
import { opDef } from '../../ir/ops/index.ts';
import { type Device, k, type Tensor } from '../../runtime/index.ts';
import { randomSource } from '../../testing/random.ts';
import type { KernelCase, OperandCase } from './design.ts';
import { stopwatch } from './stopwatch.ts';

/** What one kernel took, of the best round. */
export interface KernelSample extends RateSample {
  readonly kind: KernelClass;
  readonly op: string;
  /** Of the operands of one chunk. */
  readonly shapes: readonly (readonly number[])[];
  readonly chunks: number;
}

export interface TimingOptions {
  readonly rounds: number;
  /** A measurement repeats its kernel for this long at least. */
  readonly leastSeconds: number;
  readonly onProgress: (text: string) => void;
}

/** No further rounds after so long, once there were a few. */
const MOST_MS = 60_000;
const LEAST_ROUNDS = 3;

/** Kernels slower than this are left out: a slow device is told by the smaller ones. */
const TOO_SLOW = 0.5;

/**
 * Times every case in every number of chunks, round after round, and keeps the least seconds of each: what the machine
 * does when nothing else wants it. What disturbs it for a while meets all cases alike.
 */
export async function timeKernels(
  device: Device,
  cases: readonly KernelCase[],
  { rounds, leastSeconds, onProgress }: TimingOptions,
): Promise<KernelSample[]> {
  const bench = new Bench(device);
  const running: { readonly case: PreparedCase; readonly repeats: number; seconds: number }[] = [];
  for (const one of cases) {
    for (const chunks of one.chunks) {
      const prepared = bench.prepare(one, chunks);
      await seconds(device, prepared, 1);
      const first = await seconds(device, prepared, 1);
      if (first > TOO_SLOW) continue;
      const repeats = Math.min(1000, Math.max(1, Math.ceil(leastSeconds / first)));
      running.push({ case: prepared, repeats, seconds: Number.POSITIVE_INFINITY });
    }
  }
  const started = performance.now();
  for (let round = 1; round <= rounds; round++) {
    if (round > LEAST_ROUNDS && performance.now() - started > MOST_MS) break;
    onProgress(`timing ${running.length} kernels: round ${round} of ${rounds}`);
    for (const one of running) {
      const took = (await seconds(device, one.case, one.repeats)) / (one.repeats * one.case.sample.chunks);
      one.seconds = Math.min(one.seconds, took);
    }
  }
  return running.map(({ case: { sample }, seconds }) => ({ ...sample, seconds }));
}

interface PreparedCase {
  readonly sample: Omit<KernelSample, 'seconds'>;
  /** Every chunk once. */
  readonly run: () => void;
}

async function seconds(device: Device, { run }: PreparedCase, repeats: number): Promise<number> {
  await device.flush();
  const elapsed = stopwatch(device.backend);
  for (let i = 0; i < repeats; i++) run();
  await device.flush();
  return elapsed();
}

type KernelCall = (...args: readonly unknown[]) => unknown;

/** Cases on one device; operands of the same kind share their tensors. */
class Bench {
  readonly #device: Device;
  readonly #tensors = new Map<string, Tensor>();
  readonly #next = randomSource(1);

  constructor(device: Device) {
    this.#device = device;
  }

  prepare({ op, operands, attrs, axis }: KernelCase, count: number): PreparedCase {
    const def = opDef(op);
    const tensors = operands.map((operand) => this.#operand(operand));
    const part = (tensor: Tensor, at: number | undefined, chunk: number): Tensor => {
      if (at === undefined || count === 1) return tensor;
      const size = (tensor.shape[at] as number) / count;
      return tensor.slice(at, chunk * size, (chunk + 1) * size);
    };
    const partsOf = (chunk: number): Tensor[] =>
      tensors.map((tensor, i) => part(tensor, operands[i]?.cut, chunk));
    const all = { ...def.defaults, ...attrs };
    const types = (parts: readonly Tensor[]): TensorType[] =>
      parts.map(({ shape, dtype }) => ({ shape, dtype }));
    const target = def.infer(types(tensors), all);
    const result = this.#shared('result', target.shape as readonly number[], 'f32');
    const first = partsOf(0);
    const out = def.infer(types(first), all);
    const scratch = (def.scratch?.(types(first), all, out) ?? []).map((shape, i) =>
      this.#shared(`scratch ${i}`, shape as readonly number[], 'f32'),
    );
    const call = k[op as keyof typeof k] as unknown as KernelCall;
    const given = argumentsOf(all);
    const layouts = [...first, part(result, axis, 0)].map(({ layout }) => layout);
    return {
      sample: {
        ...workOfCall(def, types(first), all, out, layouts, scratch.length),
        op,
        shapes: first.map(({ shape }) => shape),
        chunks: count,
      },
      run: () => {
        for (let chunk = 0; chunk < count; chunk++)
          call(...partsOf(chunk), { ...given, into: part(result, axis, chunk), scratch });
      },
    };
  }

  #operand({ shape, turned, below }: OperandCase): Tensor {
    if (turned) {
      const axes = shape.map((_, axis) => axis);
      const [row, column] = axes.splice(-2) as [number, number];
      const order = [...axes, column, row];
      return this.#operand({ shape: order.map((axis) => shape[axis] as number) }).permute(order);
    }
    if (below === undefined) return this.#shared('operand', shape, 'f32', () => 2 * this.#next() - 1);
    return this.#shared(`below ${below}`, shape, 'i32', () => Math.floor(below * this.#next()));
  }

  #shared(role: string, shape: readonly number[], dtype: 'f32' | 'i32', draw?: () => number): Tensor {
    const key = `${role} ${dtype} ${shape.join()}`;
    let tensor = this.#tensors.get(key);
    if (!tensor) {
      const length = shape.reduce((product, extent) => product * extent, 1);
      tensor = draw
        ? this.#device.upload(Float32Array.from({ length }, draw), shape, dtype)
        : this.#device.alloc(shape, dtype);
      this.#tensors.set(key, tensor);
    }
    return tensor;
  }
}

/** Attributes as kernels take them. */
const argumentsOf = (attrs: Attrs): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(attrs).map(([name, value]) => [name, isTextAttr(value) ? value.text : value]),
  );
