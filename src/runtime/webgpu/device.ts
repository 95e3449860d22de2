import { InternalError, UnsupportedError, UserError } from '../../errors.ts';
import { BaseDevice } from '../base-device.ts';
import type { BoundView } from '../bound-view.ts';
import type { Kernel } from '../kernel.ts';
import type { KernelChoice, TunedKernels } from '../tuned.ts';
import { findAdapter, maxStorageBytes } from './adapter.ts';
import { GemmExecutor } from './gemm/executor.ts';
import { KernelExecutor } from './kernel-executor.ts';
import { BufferPool } from './pool.ts';
import { Recorder } from './recorder.ts';
import { RowExecutor } from './rows/executor.ts';
import type { OnKernel } from './timestamps.ts';

const USAGE_MAP_READ_COPY_DST = 0x01 | 0x08;
const MAP_READ = 0x1;
const ERROR_SCOPES = ['internal', 'out-of-memory', 'validation'] as const satisfies readonly GPUErrorFilter[];

/** WebGPU, in the browser and in Node. Work is recorded and runs in order; `read` and `flush` wait for it. */
export class WebgpuDevice extends BaseDevice<GPUBuffer> {
  override readonly backend = 'webgpu';
  override readonly adapter: string;
  override readonly maxStorageBytes: number;
  readonly #gpu: GPUDevice;
  readonly #recorder: Recorder;
  readonly #executor: KernelExecutor;
  readonly #ownKernels: TunedKernels<BoundView<GPUBuffer>> | undefined;
  readonly #pool: BufferPool;
  #lost: GPUDeviceLostInfo | undefined;

  /**
   * `tuned`: sums of products run as WGSL of our own, else as gpu.js kernels. Throws UnsupportedError, saying why, when there
   * is no adapter.
   */
  static async open(kernels: KernelChoice = 'tuned'): Promise<WebgpuDevice> {
    const found = await findAdapter();
    if ('reason' in found) throw new UnsupportedError(`webgpu is not available: ${found.reason}.`);
    const { limits } = found.adapter;
    const gpu = await found.adapter.requestDevice({
      requiredFeatures: found.adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
      requiredLimits: {
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxBufferSize: limits.maxBufferSize,
      },
    });
    return new WebgpuDevice(gpu, found.name, kernels);
  }

  private constructor(gpu: GPUDevice, adapter: string, kernels: KernelChoice) {
    super();
    this.#gpu = gpu;
    this.adapter = adapter;
    this.maxStorageBytes = maxStorageBytes(gpu.limits);
    this.#recorder = new Recorder(gpu);
    this.#executor = new KernelExecutor(this.#recorder);
    this.#ownKernels = kernels === 'tuned' ? tunedKernels(this.#recorder) : undefined;
    this.#pool = new BufferPool(gpu, {
      beforeDestroy: () => this.#recorder.forgetBuffers(),
      parameterBytes: () => this.memory.parameterBytes,
    });
    void gpu.lost.then((info) => {
      this.#lost = info;
    });
    this.#pushErrorScopes();
  }

  protected override allocate(elements: number): GPUBuffer {
    return this.#pool.acquire(elements * 4);
  }

  protected override release(buffer: GPUBuffer): void {
    this.#pool.release(buffer);
  }

  protected override writeRange(buffer: GPUBuffer, first: number, data: Float32Array): void {
    this.#recorder.submit();
    this.#gpu.queue.writeBuffer(buffer, first * 4, data as Float32Array<ArrayBuffer>);
  }

  protected override async readRange(buffer: GPUBuffer, first: number, end: number): Promise<Float32Array> {
    this.#recorder.submit();
    const size = (end - first) * 4;
    const staging = this.#gpu.createBuffer({ size, usage: USAGE_MAP_READ_COPY_DST });
    try {
      const encoder = this.#gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, first * 4, staging, 0, size);
      this.#gpu.queue.submit([encoder.finish()]);
      const mapped = staging.mapAsync(MAP_READ).then(
        () => true,
        () => false,
      );
      await this.settle();
      if (!(await mapped))
        throw new InternalError('autochunk internal error: a WebGPU buffer cannot be read');
      return new Float32Array(staging.getMappedRange().slice(0));
    } finally {
      staging.destroy();
    }
  }

  protected override execute(
    kernel: Kernel,
    out: BoundView<GPUBuffer>,
    arrays: readonly BoundView<GPUBuffer>[],
    scalars: readonly number[],
  ): void {
    this.#executor.record(kernel, out, arrays, scalars);
  }

  protected override ownKernels(): TunedKernels<BoundView<GPUBuffer>> | undefined {
    return this.#ownKernels;
  }

  protected override readonly runsAtOnce = false;

  protected override timeKernels(onKernel: OnKernel): (() => Promise<void>) | undefined {
    if (!this.#gpu.features.has('timestamp-query')) return undefined;
    this.#recorder.time(onKernel);
    return () => this.#recorder.stopTiming();
  }

  protected override async settle(): Promise<void> {
    this.#recorder.submit();
    const scopes = ERROR_SCOPES.map(() => this.#gpu.popErrorScope());
    this.#pushErrorScopes();
    const [errors] = await Promise.all([Promise.allSettled(scopes), this.#gpu.queue.onSubmittedWorkDone()]);
    this.#mustNotBeLost();
    for (const outcome of errors) {
      if (outcome.status === 'fulfilled' && outcome.value) throw this.#typed(outcome.value);
    }
  }

  protected override async dispose(): Promise<void> {
    this.#recorder.destroy();
    this.#pool.destroy();
    this.#gpu.destroy();
    await this.#gpu.lost;
  }

  protected override reservedBytes(): number {
    return this.#pool.reservedBytes;
  }

  #pushErrorScopes(): void {
    for (const filter of [...ERROR_SCOPES].reverse()) this.#gpu.pushErrorScope(filter);
  }

  #mustNotBeLost(): void {
    if (!this.#lost) return;
    throw new UserError(
      `the WebGPU device (${this.adapter}) was lost: ${this.#lost.message || this.#lost.reason}. Open another one with ` +
        'openDevice() and run again; if it happens again, use a smaller budget or backend webasm.',
    );
  }

  #typed(error: GPUError): Error {
    if (error.constructor.name === 'GPUOutOfMemoryError') {
      return new UserError(
        `the WebGPU adapter (${this.adapter}) ran out of memory with ${this.memory.reservedBytes} bytes reserved. ` +
          'Use a smaller budget.',
        { cause: error },
      );
    }
    return new InternalError(`autochunk internal error (please report): WebGPU said: ${error.message}`, {
      cause: error,
    });
  }
}

function tunedKernels(recorder: Recorder): TunedKernels<BoundView<GPUBuffer>> {
  const [gemm, rows] = [new GemmExecutor(recorder), new RowExecutor(recorder)];
  return {
    description: 'own WGSL',
    multiply: (product) => gemm.multiply(product),
    multiplyLanes: (product) => gemm.multiplyLanes(product),
    convolve: (convolution) => gemm.convolve(convolution),
    softmax: (softmax) => rows.softmax(softmax),
    normalise: (norm) => rows.normalise(norm),
  };
}
