import { UnsupportedError } from '../../errors.ts';
import type { BoundView } from '../base-device.ts';
import { compileForWebgpu, type WgslProgram } from '../gpujs/webgpu.ts';
import type { Kernel } from '../kernel.ts';
import { type OnKernel, Timestamps } from './timestamps.ts';

const RING_BYTES = 2 ** 18;
/** Submitted at least this often, so that the GPU works while more is recorded. */
const DISPATCHES_PER_SUBMIT = 256;
const COMPUTE = 0x4;
const USAGE_UNIFORM_COPY_DST = 0x40 | 0x08;

interface Compiled {
  readonly program: WgslProgram;
  /** Positions of the arrays that have a binding: all but those that the output is written over. */
  readonly bound: readonly number[];
  readonly module: GPUShaderModule;
  readonly bindGroupLayout: GPUBindGroupLayout;
  readonly layout: GPUPipelineLayout;
  /** By workgroup size. */
  readonly pipelines: Map<string, GPUComputePipeline>;
  /** By the numbers of the buffers. */
  readonly bindGroups: Map<string, GPUBindGroup>;
}

/**
 * Records dispatches into one command encoder and submits many at a time. Uniforms of a submission live in one ring
 * buffer, addressed by dynamic offsets.
 */
export class WebgpuExecutor {
  readonly #device: GPUDevice;
  readonly #ring: GPUBuffer;
  readonly #mirror = new ArrayBuffer(RING_BYTES);
  readonly #block = new DataView(this.#mirror);
  readonly #alignment: number;
  readonly #compiled = new Map<Kernel, Map<string, Compiled>>();
  readonly #numbers = new WeakMap<GPUBuffer, number>();
  #nextNumber = 0;
  #ringAt = 0;
  #dispatches = 0;
  #timestamps: Timestamps | undefined;
  #recording: { encoder: GPUCommandEncoder; pass: GPUComputePassEncoder } | undefined;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#alignment = device.limits.minUniformBufferOffsetAlignment;
    this.#ring = device.createBuffer({ size: RING_BYTES, usage: USAGE_UNIFORM_COPY_DST });
  }

  /** Records one kernel; more than one dispatch where the output exceeds the device's workgroup counts. */
  record(
    kernel: Kernel,
    out: BoundView<GPUBuffer>,
    arrays: readonly BoundView<GPUBuffer>[],
    scalars: readonly number[],
  ): void {
    const inPlace = arrays.flatMap(({ handle }, i) => (handle === out.handle ? [i] : []));
    const compiled = this.#compile(kernel, inPlace);
    const group = groupSize(out);
    const pipeline = this.#pipeline(kernel, compiled, group);
    const bindGroup = this.#bindGroup(compiled, out, arrays);
    const most = this.#device.limits.maxComputeWorkgroupsPerDimension;
    const [depth, height, width] = out.extents;
    const stepX = most * group[0];
    const stepY = most * group[1];
    for (let z = 0; z < depth; z += most) {
      for (let y = 0; y < height; y += stepY) {
        for (let x = 0; x < width; x += stepX) {
          const offset = this.#uniforms(kernel, compiled.program, out, arrays, scalars, [x, y, z]);
          const { pass } = this.#record(kernel.name, out.extents);
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, bindGroup, [offset]);
          pass.dispatchWorkgroups(
            Math.ceil(Math.min(width - x, stepX) / group[0]),
            Math.ceil(Math.min(height - y, stepY) / group[1]),
            Math.min(depth - z, most),
          );
          this.#dispatches++;
          if (this.#dispatches >= DISPATCHES_PER_SUBMIT) this.submit();
        }
      }
    }
  }

  /** Hands everything recorded to the queue. */
  submit(): void {
    if (!this.#recording) return;
    const { encoder, pass } = this.#recording;
    pass.end();
    const read = this.#timestamps?.finish(encoder);
    this.#device.queue.writeBuffer(this.#ring, 0, this.#mirror, 0, this.#ringAt);
    this.#device.queue.submit([encoder.finish()]);
    read?.();
    this.#recording = undefined;
    this.#ringAt = 0;
    this.#dispatches = 0;
  }

  /** Submits, then drops the bind groups, which may refer to buffers about to be destroyed. */
  forgetBuffers(): void {
    this.submit();
    for (const variants of this.#compiled.values()) {
      for (const { bindGroups } of variants.values()) bindGroups.clear();
    }
  }

  destroy(): void {
    this.#recording = undefined;
    this.#compiled.clear();
    this.#ring.destroy();
  }

  /** From now on every dispatch is timed by the GPU. */
  time(onKernel: OnKernel): void {
    this.submit();
    this.#timestamps = new Timestamps(this.#device, DISPATCHES_PER_SUBMIT, onKernel);
  }

  /** Resolves when the times of all dispatches are known. */
  async stopTiming(): Promise<void> {
    this.submit();
    const timestamps = this.#timestamps;
    this.#timestamps = undefined;
    await timestamps?.stop();
  }

  #record(
    name: string,
    shape: readonly number[],
  ): { encoder: GPUCommandEncoder; pass: GPUComputePassEncoder } {
    if (this.#timestamps) {
      this.#recording?.pass.end();
      const encoder = this.#recording?.encoder ?? this.#device.createCommandEncoder();
      const timestampWrites = this.#timestamps.next(name, shape);
      this.#recording = { encoder, pass: encoder.beginComputePass({ timestampWrites }) };
    }
    if (!this.#recording) {
      const encoder = this.#device.createCommandEncoder();
      this.#recording = { encoder, pass: encoder.beginComputePass() };
    }
    return this.#recording;
  }

  /** Writes the uniform block of a dispatch; returns its offset in the ring. */
  #uniforms(
    kernel: Kernel,
    program: WgslProgram,
    out: BoundView<GPUBuffer>,
    arrays: readonly BoundView<GPUBuffer>[],
    scalars: readonly number[],
    origin: readonly number[],
  ): number {
    const bytes = Math.ceil(program.uniformBytes / this.#alignment) * this.#alignment;
    if (this.#ringAt + bytes > RING_BYTES) this.submit();
    const offset = this.#ringAt;
    this.#ringAt += bytes;
    const block = this.#block;
    const put = (at: number, values: readonly number[]): void => {
      values.forEach((value, i) => {
        block.setInt32(offset + at + i * 4, value, true);
      });
    };
    const outermostLast = ([z, y, x]: BoundView<GPUBuffer>['strides']): number[] => [x, y, z];
    put(program.extentsAt, outermostLast(out.extents));
    put(program.outputAt, [...outermostLast(out.strides), out.base, ...origin]);
    arrays.forEach((view, i) => {
      put(program.arraysAt[i] as number, [...outermostLast(view.strides), view.base]);
    });
    scalars.forEach((value, i) => {
      const at = offset + (program.scalarsAt[i] as number);
      if (kernel.scalars[i] === 'Integer') block.setInt32(at, value, true);
      else block.setFloat32(at, value, true);
    });
    return offset;
  }

  #compile(kernel: Kernel, inPlace: readonly number[]): Compiled {
    let variants = this.#compiled.get(kernel);
    if (!variants) this.#compiled.set(kernel, (variants = new Map()));
    let compiled = variants.get(inPlace.join());
    if (!compiled) {
      const most = this.#device.limits.maxStorageBuffersPerShaderStage;
      if (kernel.arrays + 1 > most) {
        throw new UnsupportedError(
          `${kernel.name}: needs ${kernel.arrays + 1} storage buffers, but this WebGPU adapter binds at most ${most}. ` +
            'Use backend webasm.',
        );
      }
      const program = compileForWebgpu(kernel, inPlace);
      const bound = Array.from({ length: kernel.arrays }, (_, i) => i).filter((i) => !inPlace.includes(i));
      const storage = (type: GPUBufferBindingType, binding: number): GPUBindGroupLayoutEntry => ({
        binding,
        visibility: COMPUTE,
        buffer: { type },
      });
      const bindGroupLayout = this.#device.createBindGroupLayout({
        entries: [
          { binding: 0, visibility: COMPUTE, buffer: { type: 'uniform', hasDynamicOffset: true } },
          ...bound.map((i) => storage('read-only-storage', i + 1)),
          storage('storage', kernel.arrays + 1),
        ],
      });
      compiled = {
        program,
        bound,
        module: this.#device.createShaderModule({ label: kernel.name, code: program.code }),
        bindGroupLayout,
        layout: this.#device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] }),
        pipelines: new Map(),
        bindGroups: new Map(),
      };
      variants.set(inPlace.join(), compiled);
    }
    return compiled;
  }

  #pipeline(
    kernel: Kernel,
    compiled: Compiled,
    [groupX, groupY]: readonly [number, number],
  ): GPUComputePipeline {
    const key = `${groupX} ${groupY}`;
    let pipeline = compiled.pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#device.createComputePipeline({
        label: kernel.name,
        layout: compiled.layout,
        compute: { module: compiled.module, entryPoint: 'main', constants: { groupX, groupY } },
      });
      compiled.pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  #bindGroup(
    compiled: Compiled,
    out: BoundView<GPUBuffer>,
    arrays: readonly BoundView<GPUBuffer>[],
  ): GPUBindGroup {
    const bound = compiled.bound.map((i): [number, GPUBuffer] => [i + 1, (arrays[i] as typeof out).handle]);
    bound.push([arrays.length + 1, out.handle]);
    const key = bound.map(([, buffer]) => this.#number(buffer)).join(' ');
    let bindGroup = compiled.bindGroups.get(key);
    if (!bindGroup) {
      bindGroup = this.#device.createBindGroup({
        layout: compiled.bindGroupLayout,
        entries: [
          { binding: 0, resource: { buffer: this.#ring, size: compiled.program.uniformBytes } },
          ...bound.map(([binding, buffer]) => ({ binding, resource: { buffer } })),
        ],
      });
      compiled.bindGroups.set(key, bindGroup);
    }
    return bindGroup;
  }

  #number(buffer: GPUBuffer): number {
    let number = this.#numbers.get(buffer);
    if (number === undefined) {
      number = this.#nextNumber++;
      this.#numbers.set(buffer, number);
    }
    return number;
  }
}

/** 64 threads along the one long axis of a row or a column, otherwise squares. */
function groupSize({ extents: [, height, width] }: BoundView<GPUBuffer>): readonly [number, number] {
  if (height === 1) return [64, 1];
  return width === 1 ? [1, 64] : [8, 8];
}
