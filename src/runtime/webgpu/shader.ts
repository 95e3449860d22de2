const COMPUTE = 0x4;

/** What a shader is made from. */
export interface ShaderOptions {
  /** For profiles and messages. */
  readonly name: string;
  readonly code: string;
  /** Bytes of the uniform block at binding 0. */
  readonly uniformBytes: number;
  /** Bindings of the storage buffers that it reads. */
  readonly reads: readonly number[];
  /** Bindings of those that it writes, which may read them too. */
  readonly writes: readonly number[];
}

/** Bind groups of some first buffers, by the next one. */
interface Branch {
  group: GPUBindGroup | undefined;
  readonly next: Map<GPUBuffer, Branch>;
}

const emptyBranch = (): Branch => ({ group: undefined, next: new Map() });

/** A compute shader with its pipelines and bind groups, each made when it is first needed. */
export class Shader {
  readonly name: string;
  readonly uniformBytes: number;
  readonly #device: GPUDevice;
  readonly #ring: GPUBuffer;
  readonly #bindings: readonly number[];
  readonly #module: GPUShaderModule;
  readonly #bindGroupLayout: GPUBindGroupLayout;
  readonly #layout: GPUPipelineLayout;
  readonly #pipelines: (GPUComputePipeline | undefined)[] = [];
  #groups = emptyBranch();

  /** `ring`: the buffer that uniform blocks lie in. */
  constructor(device: GPUDevice, ring: GPUBuffer, options: ShaderOptions) {
    const { name, code, uniformBytes, reads, writes } = options;
    this.name = name;
    this.uniformBytes = uniformBytes;
    this.#device = device;
    this.#ring = ring;
    this.#bindings = [...reads, ...writes];
    const storage = (type: GPUBufferBindingType, binding: number): GPUBindGroupLayoutEntry => ({
      binding,
      visibility: COMPUTE,
      buffer: { type },
    });
    this.#bindGroupLayout = device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility: COMPUTE, buffer: { type: 'uniform', hasDynamicOffset: true } },
        ...reads.map((binding) => storage('read-only-storage', binding)),
        ...writes.map((binding) => storage('storage', binding)),
      ],
    });
    this.#layout = device.createPipelineLayout({ bindGroupLayouts: [this.#bindGroupLayout] });
    this.#module = device.createShaderModule({ label: name, code });
  }

  /** The pipeline with some values of the shader's pipeline constants; `variant` numbers them. */
  pipeline(variant = 0, constants?: Readonly<Record<string, number>>): GPUComputePipeline {
    return (this.#pipelines[variant] ??= this.#device.createComputePipeline({
      label: this.name,
      layout: this.#layout,
      compute: { module: this.#module, entryPoint: 'main', ...(constants && { constants }) },
    }));
  }

  /** The buffers that are read, then those that are written, in the order of the bindings. */
  bindGroup(buffers: readonly GPUBuffer[]): GPUBindGroup {
    let branch = this.#groups;
    for (const buffer of buffers) {
      let next = branch.next.get(buffer);
      if (!next) branch.next.set(buffer, (next = emptyBranch()));
      branch = next;
    }
    branch.group ??= this.#device.createBindGroup({
      layout: this.#bindGroupLayout,
      entries: [
        { binding: 0, resource: { buffer: this.#ring, size: this.uniformBytes } },
        ...buffers.map((buffer, i) => ({ binding: this.#bindings[i] as number, resource: { buffer } })),
      ],
    });
    return branch.group;
  }

  /** Drops the bind groups, which keep buffers. */
  forgetBuffers(): void {
    this.#groups = emptyBranch();
  }
}
