import type { GeneratedModule } from '../codegen/load.ts';
import { invariant } from '../errors.ts';
import type { Backend } from '../ir/ops/op.ts';
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
  /** Names of the kernels that ran. */
  readonly kernels: ReadonlySet<string>;
  private readonly module: GeneratedModule<runtime.Device, runtime.Tensor>;
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

  /** Opens a device, loads the module and uploads its data. `backend` undefined: the best there is. */
  static async open(
    backend: Backend | undefined,
    source: string,
    signature: Signature,
    data: { readonly inputs: Elements; readonly params: Elements },
  ): Promise<Session> {
    const { loadModule } = await import('../codegen/load.ts');
    const kernels = new Set<string>();
    const k = recordingKernels(kernels);
    const module = loadModule<runtime.Device, runtime.Tensor>(source, { ...runtime, k });
    const device = await runtime.openDevice({ backend: backend ?? 'auto' });
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
  async run(): Promise<RunResult> {
    const inputs = { ...this.inputs, ...this.donate() };
    await this.device.flush();
    const started = performance.now();
    const { result, peakBytes } = await runtime.measure(this.device, () =>
      this.module.run(this.device, inputs, this.params),
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
  readonly module: GeneratedModule<runtime.Device, runtime.Tensor>;
  readonly inputs: Record<string, runtime.Tensor>;
  /** Uploads the inputs that a run takes over. */
  readonly donate: () => Record<string, runtime.Tensor>;
  readonly params: Record<string, runtime.Tensor>;
}

/** The kernels as a module sees them; those it calls are added to `called`. */
const recordingKernels = (called: Set<string>): typeof runtime.k =>
  new Proxy(runtime.k, {
    get(target, name) {
      if (name === 'user') {
        return (op: string) => {
          called.add(op);
          return target.user(op);
        };
      }
      if (typeof name === 'string' && Object.hasOwn(target, name)) called.add(name);
      return Reflect.get(target, name);
    },
  });

function elements(all: Elements, id: string): Float32Array {
  const found = all[id];
  invariant(found, `no data for ${id}`);
  return found;
}
