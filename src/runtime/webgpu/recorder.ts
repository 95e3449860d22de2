import { Shader, type ShaderOptions } from './shader.ts';
import { type OnKernel, Timestamps } from './timestamps.ts';

const RING_BYTES = 2 ** 18;
/** Submitted at least this often, so that the GPU works while more is recorded. */
const DISPATCHES_PER_SUBMIT = 256;
const USAGE_UNIFORM_COPY_DST = 0x40 | 0x08;

/** How many workgroups along each axis, and what profiles say of the dispatch. */
export interface Dispatch {
  readonly shader: Shader;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly groups: readonly [x: number, y: number, z: number];
  /** Of the result. */
  readonly extents: readonly number[];
}

/**
 * Records dispatches into one command encoder and submits many at a time. Uniform blocks of a submission lie in one ring
 * buffer, addressed by dynamic offsets.
 */
export class Recorder {
  readonly device: GPUDevice;
  /** Most workgroups of a dispatch along each axis. */
  readonly mostGroups: number;
  /** The uniform blocks that are yet to be submitted, as words. */
  readonly ints: Int32Array;
  readonly floats: Float32Array;
  readonly #mirror = new ArrayBuffer(RING_BYTES);
  readonly #ring: GPUBuffer;
  readonly #alignment: number;
  readonly #shaders: Shader[] = [];
  /** Of the block that was begun last. */
  readonly #offset = new Uint32Array(1);
  #ringAt = 0;
  #dispatches = 0;
  #timestamps: Timestamps | undefined;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #pipeline: GPUComputePipeline | undefined;

  constructor(device: GPUDevice, mostGroups: number = device.limits.maxComputeWorkgroupsPerDimension) {
    this.device = device;
    this.mostGroups = mostGroups;
    this.ints = new Int32Array(this.#mirror);
    this.floats = new Float32Array(this.#mirror);
    this.#alignment = device.limits.minUniformBufferOffsetAlignment;
    this.#ring = device.createBuffer({ size: RING_BYTES, usage: USAGE_UNIFORM_COPY_DST });
  }

  shader(options: ShaderOptions): Shader {
    const shader = new Shader(this.device, this.#ring, options);
    this.#shaders.push(shader);
    return shader;
  }

  /** Begins the uniform block of the next dispatch; returns the index of its first word in `ints` and `floats`. */
  beginBlock({ uniformBytes }: Shader): number {
    const bytes = Math.ceil(uniformBytes / this.#alignment) * this.#alignment;
    if (this.#ringAt + bytes > RING_BYTES) this.submit();
    const offset = this.#ringAt;
    this.#ringAt += bytes;
    this.#offset[0] = offset;
    return offset / 4;
  }

  /** Records a dispatch whose uniform block is the one begun last. */
  dispatch({ shader, pipeline, bindGroup, groups, extents }: Dispatch): void {
    const pass = this.#passFor(shader.name, extents);
    if (pipeline !== this.#pipeline) {
      pass.setPipeline(pipeline);
      this.#pipeline = pipeline;
    }
    pass.setBindGroup(0, bindGroup, this.#offset, 0, 1);
    pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
    this.#dispatches++;
    if (this.#dispatches >= DISPATCHES_PER_SUBMIT) this.submit();
  }

  /** Hands everything recorded to the queue. */
  submit(): void {
    const [encoder, pass] = [this.#encoder, this.#pass];
    if (!encoder || !pass) return;
    pass.end();
    const read = this.#timestamps?.finish(encoder);
    this.device.queue.writeBuffer(this.#ring, 0, this.#mirror, 0, this.#ringAt);
    this.device.queue.submit([encoder.finish()]);
    read?.();
    this.#encoder = undefined;
    this.#pass = undefined;
    this.#pipeline = undefined;
    this.#ringAt = 0;
    this.#dispatches = 0;
  }

  /** Submits, then drops the bind groups, which may refer to buffers about to be destroyed. */
  forgetBuffers(): void {
    this.submit();
    for (const shader of this.#shaders) shader.forgetBuffers();
  }

  destroy(): void {
    this.#encoder = undefined;
    this.#pass = undefined;
    this.#shaders.length = 0;
    this.#ring.destroy();
  }

  /** From now on every dispatch is timed by the GPU. */
  time(onKernel: OnKernel): void {
    this.submit();
    this.#timestamps = new Timestamps(this.device, DISPATCHES_PER_SUBMIT, onKernel);
  }

  /** Resolves when the times of all dispatches are known. */
  async stopTiming(): Promise<void> {
    this.submit();
    const timestamps = this.#timestamps;
    this.#timestamps = undefined;
    await timestamps?.stop();
  }

  #passFor(name: string, extents: readonly number[]): GPUComputePassEncoder {
    this.#encoder ??= this.device.createCommandEncoder();
    if (this.#timestamps) {
      // A pass of its own for every dispatch.
      this.#pass?.end();
      this.#pipeline = undefined;
      this.#pass = this.#encoder.beginComputePass({ timestampWrites: this.#timestamps.next(name, extents) });
    }
    this.#pass ??= this.#encoder.beginComputePass();
    return this.#pass;
  }
}
