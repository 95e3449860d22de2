import { createHash } from 'node:crypto';
import { type GeneratedModule, loadModule } from '../codegen/load.ts';
import { UserError } from '../errors.ts';
import type { Backend } from '../ir/ops/op.ts';
import * as runtime from '../runtime/index.ts';
import type { Signature } from './signature.ts';

export interface RunResult {
  readonly outputs: Readonly<Record<string, OutputTensor>>;
  readonly measuredPeakBytes: number;
  readonly ms: number;
}

export interface OutputTensor {
  readonly shape: readonly number[];
  readonly dtype: runtime.DType;
  readonly data: Float32Array;
}

/** Elements by value id. */
export type Elements = Readonly<Record<string, Float32Array>>;

/** One generated module on a device of its own, with its inputs and parameters uploaded. */
export class Session {
  readonly device: runtime.Device;
  /** Kernels that ran, in order of first use. */
  readonly kernels = new Set<string>();
  private readonly module: GeneratedModule<runtime.Device, runtime.Tensor>;
  private readonly inputs: Record<string, runtime.Tensor>;
  private readonly params: Record<string, runtime.Tensor>;

  private constructor(
    device: runtime.Device,
    source: string,
    signature: Signature,
    inputs: Elements,
    params: Elements,
  ) {
    this.device = device;
    this.module = loadModule(source, { ...runtime, k: this.recorder() });
    this.inputs = Object.fromEntries(
      signature.inputs.map(({ id, shape, dtype }) => [id, device.upload(elements(inputs, id), shape, dtype)]),
    );
    this.params = Object.fromEntries(
      signature.params.map(({ id, shape, dtype }) => [
        id,
        device.parameter(elements(params, id), shape, dtype),
      ]),
    );
  }

  static async open(
    backend: Backend | undefined,
    source: string,
    signature: Signature,
    inputs: Elements,
    params: Elements,
  ): Promise<Session> {
    const device = await runtime.openDevice({ backend: backend ?? 'auto' });
    try {
      return new Session(device, source, signature, inputs, params);
    } catch (error) {
      await device.destroy();
      throw error;
    }
  }

  /** Runs once. Inputs and parameters stay; outputs are read back and freed. */
  async run(): Promise<RunResult> {
    const started = performance.now();
    const { result, peakBytes } = await runtime.measure(this.device, () =>
      this.module.run(this.device, this.inputs, this.params),
    );
    const ms = performance.now() - started;
    const outputs: Record<string, OutputTensor> = {};
    for (const [name, tensor] of Object.entries(result)) {
      outputs[name] = { shape: tensor.shape, dtype: tensor.dtype, data: await this.device.read(tensor) };
    }
    for (const tensor of new Set(Object.values(result))) tensor.free();
    return { outputs, measuredPeakBytes: peakBytes, ms };
  }

  close(): Promise<void> {
    return this.device.destroy();
  }

  /** The kernels as the module sees them, noting which are called. */
  private recorder(): typeof runtime.k {
    const { kernels } = this;
    return new Proxy(runtime.k, {
      get(target, name) {
        if (typeof name === 'string' && Object.hasOwn(target, name)) kernels.add(name);
        return Reflect.get(target, name);
      },
    });
  }
}

function elements(all: Elements, id: string): Float32Array {
  const found = all[id];
  if (!found) throw new UserError(`no data for ${id}`);
  return found;
}

/** What `run` says about an output. */
export interface OutputSummary {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly first: readonly number[];
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly nonFinite: number;
  /** First 16 digits of the SHA-256 of the elements as little-endian f32. */
  readonly checksum: string;
}

export function summariseOutput(name: string, { shape, dtype, data }: OutputTensor): OutputSummary {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let nonFinite = 0;
  for (const value of data) {
    if (!Number.isFinite(value)) {
      nonFinite++;
      continue;
    }
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return {
    name,
    dtype,
    shape,
    first: [...data.subarray(0, 8)],
    min,
    max,
    mean: sum / Math.max(1, data.length - nonFinite),
    nonFinite,
    checksum: createHash('sha256').update(bytes).digest('hex').slice(0, 16),
  };
}

/** The largest difference of any two elements, and whether all are the same bit for bit. */
export function compareOutputs(
  a: Readonly<Record<string, OutputTensor>>,
  b: Readonly<Record<string, OutputTensor>>,
): { maxAbsDiff: number; identical: boolean } {
  let maxAbsDiff = 0;
  let identical = true;
  for (const [name, { data }] of Object.entries(a)) {
    const other = b[name]?.data;
    if (other === undefined || other.length !== data.length)
      return { maxAbsDiff: Number.POSITIVE_INFINITY, identical: false };
    for (let i = 0; i < data.length; i++) {
      const x = data[i] as number;
      const y = other[i] as number;
      if (Object.is(x, y)) continue;
      identical = false;
      maxAbsDiff = Math.max(maxAbsDiff, Math.abs(x - y));
    }
  }
  return { maxAbsDiff, identical };
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
};
