import type { GeneratedModule } from '../codegen/load.ts';
import { invariant } from '../errors.ts';
import * as runtime from '../runtime/index.ts';
import type { OutputTensor } from './outputs.ts';
import type { Signature } from './signature.ts';

export interface RunResult {
  readonly outputs: Readonly<Record<string, OutputTensor>>;
  readonly measuredPeakBytes: number;
  readonly ms: number;
}

/** Elements by value id. */
export type Elements = Readonly<Record<string, Float32Array>>;

/** One generated module on a device of its own, with its inputs and parameters uploaded. */
export class Session {
  readonly device: runtime.Device;
  /** What computed each op that ran. */
  readonly kernels: ReadonlyMap<string, string>;
  private readonly module: Pick<GeneratedModule<runtime.Device, runtime.Tensor>, 'run'>;
  private readonly inputs: Record<string, runtime.Tensor>;
  private readonly donate: () => Record<string, runtime.Tensor>;
  private readonly params: Record<string, runtime.Tensor>;

  private constructor(parts: Pick<Session, 'device' | 'kernels'> & SessionParts) {
    this.device = parts.device;
    this.kernels = parts.kernels;
    this.module = parts.module;
    this.inputs = parts.inputs;
    this.donate = parts.donate;
    this.params = parts.params;
  }

  /** Opens a device, loads the module and uploads its data. */
  static async open(
    options: runtime.OpenOptions,
    source: string,
    signature: Signature,
    data: { readonly inputs: Elements; readonly params: Elements },
  ): Promise<Session> {
    const { loadAnyModule } = await import('../codegen/load.ts');
    const device = await runtime.openDevice(options);
    const kernels = new Map<string, string>();
    const k = recordingKernels(device, kernels);
    const module = loadAnyModule<runtime.Device, runtime.Tensor>(source, { ...runtime, k });
    try {
      const inputs = Object.fromEntries(
        signature.inputs
          .filter(({ donated }) => !donated)
          .map(({ id, shape, dtype }) => [id, device.upload(elements(data.inputs, id), shape, dtype)]),
      );
      const donate = (): Record<string, runtime.Tensor> =>
        Object.fromEntries(
          signature.inputs
            .filter(({ donated }) => donated)
            .map(({ id, shape, dtype }) => [id, device.upload(elements(data.inputs, id), shape, dtype)]),
        );
      const params = Object.fromEntries(
        signature.params.map(({ id, shape, dtype }) => [
          id,
          device.parameter(elements(data.params, id), shape, dtype),
        ]),
      );
      return new Session({ device, kernels, module, inputs, donate, params });
    } catch (error) {
      await device.destroy();
      throw error;
    }
  }

  /** Runs once. Inputs and parameters stay, donated inputs are uploaded anew; outputs are read back and freed. */
  async run(options: runtime.RunOptions = {}): Promise<RunResult> {
    const inputs = { ...this.inputs, ...this.donate() };
    await this.device.flush();
    const started = performance.now();
    const { result, peakBytes } = await runtime.measure(this.device, () =>
      this.module.run(this.device, inputs, this.params, options),
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
}

interface SessionParts {
  readonly module: Pick<GeneratedModule<runtime.Device, runtime.Tensor>, 'run'>;
  readonly inputs: Record<string, runtime.Tensor>;
  /** Uploads the inputs that a run takes over. */
  readonly donate: () => Record<string, runtime.Tensor>;
  readonly params: Record<string, runtime.Tensor>;
}

/** The kernels as a module sees them; what computes those that it calls is added to `ran`. */
function recordingKernels(device: runtime.Device, ran: Map<string, string>): typeof runtime.k {
  type Call = (...args: readonly never[]) => runtime.Tensor;
  const recorded =
    (op: string, call: Call): Call =>
    (...args) => {
      const { tuned, gpujs } = device.calls;
      const result = call(...args);
      const implementations = [
        ...(device.calls.tuned > tuned && device.tuned ? [device.tuned.description] : []),
        ...(device.calls.gpujs > gpujs ? ['gpu.js'] : []),
      ];
      if (implementations.length > 0) ran.set(op, `${implementations.join(' and ')} ${device.backend}`);
      return result;
    };
  return new Proxy(runtime.k, {
    get(target, name) {
      if (name === 'user') return (op: string) => recorded(op, target.user(op) as Call);
      if (name === 'formula')
        return (text: string) => recorded('fused', target.formula(text) as unknown as Call);
      const found: unknown = Reflect.get(target, name);
      return typeof name === 'string' && Object.hasOwn(target, name) ? recorded(name, found as Call) : found;
    },
  });
}

function elements(all: Elements, id: string): Float32Array {
  const found = all[id];
  invariant(found, `no data for ${id}`);
  return found;
}
