import { UnsupportedError } from '../../errors.ts';
import type { BoundView } from '../bound-view.ts';
import { compileForWebgpu, type WgslProgram } from '../gpujs/webgpu.ts';
import type { Kernel } from '../kernel.ts';
import type { Recorder } from './recorder.ts';
import type { Shader } from './shader.ts';

type View = BoundView<GPUBuffer>;

interface Compiled {
  readonly program: WgslProgram;
  readonly shader: Shader;
  /** Positions of the arrays that have a binding: all but those that the output is written over. */
  readonly bound: readonly number[];
}

const GROUP_SIZES = [
  { groupX: 8, groupY: 8 },
  { groupX: 64, groupY: 1 },
  { groupX: 1, groupY: 64 },
] as const;

/** Runs gpu.js kernels over strided views. */
export class KernelExecutor {
  readonly #recorder: Recorder;
  /** By the arrays that the output is written over, a bit each. */
  readonly #compiled = new Map<Kernel, Map<number, Compiled>>();

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  /** Records one kernel; more than one dispatch where the output exceeds the device's workgroup counts. */
  record(kernel: Kernel, out: View, arrays: readonly View[], scalars: readonly number[]): void {
    const { program, shader, bound } = this.#compile(kernel, out, arrays);
    const buffers = bound.map((i) => (arrays[i] as View).handle);
    buffers.push(out.handle);
    const bindGroup = shader.bindGroup(buffers);
    const variant = groupShape(out);
    const size = GROUP_SIZES[variant] as (typeof GROUP_SIZES)[number];
    const { groupX, groupY } = size;
    const pipeline = shader.pipeline(variant, size);
    const { extents } = out;
    const [depth, height, width] = extents;
    const most = this.#recorder.mostGroups;
    const [stepX, stepY] = [most * groupX, most * groupY];
    for (let z = 0; z < depth; z += most) {
      for (let y = 0; y < height; y += stepY) {
        for (let x = 0; x < width; x += stepX) {
          this.#writeBlock(kernel, program, shader, out, arrays, scalars, x, y, z);
          const groups = [
            Math.ceil(Math.min(width - x, stepX) / groupX),
            Math.ceil(Math.min(height - y, stepY) / groupY),
            Math.min(depth - z, most),
          ] as const;
          this.#recorder.dispatch({ shader, pipeline, bindGroup, groups, extents });
        }
      }
    }
  }

  #writeBlock(
    kernel: Kernel,
    program: WgslProgram,
    shader: Shader,
    out: View,
    arrays: readonly View[],
    scalars: readonly number[],
    x: number,
    y: number,
    z: number,
  ): void {
    const start = this.#recorder.beginBlock(shader);
    const { ints, floats } = this.#recorder;
    const { outputAt, extentsAt, arraysAt, scalarsAt } = program;
    putOutermostLast(ints, start + extentsAt / 4, out.extents);
    const output = start + outputAt / 4;
    putOutermostLast(ints, output, out.strides);
    ints[output + 3] = out.base;
    ints[output + 4] = x;
    ints[output + 5] = y;
    ints[output + 6] = z;
    for (let i = 0; i < arrays.length; i++) {
      const view = arrays[i] as View;
      const at = start + (arraysAt[i] as number) / 4;
      putOutermostLast(ints, at, view.strides);
      ints[at + 3] = view.base;
    }
    for (let i = 0; i < scalars.length; i++) {
      const words = kernel.scalars[i] === 'Integer' ? ints : floats;
      words[start + (scalarsAt[i] as number) / 4] = scalars[i] as number;
    }
  }

  #compile(kernel: Kernel, { handle }: View, arrays: readonly View[]): Compiled {
    let variants = this.#compiled.get(kernel);
    if (!variants) this.#compiled.set(kernel, (variants = new Map()));
    let key = 0;
    for (let i = 0; i < arrays.length; i++) if ((arrays[i] as View).handle === handle) key += 2 ** i;
    let compiled = variants.get(key);
    if (!compiled) {
      const most = this.#recorder.device.limits.maxStorageBuffersPerShaderStage;
      if (kernel.arrays + 1 > most) {
        throw new UnsupportedError(
          `${kernel.name}: needs ${kernel.arrays + 1} storage buffers, but this WebGPU adapter binds at most ${most}. ` +
            'Use backend webasm.',
        );
      }
      const positions = arrays.map((_, i) => i);
      const inPlace = positions.filter((i) => arrays[i]?.handle === handle);
      const bound = positions.filter((i) => !inPlace.includes(i));
      const program = compileForWebgpu(kernel, inPlace);
      compiled = {
        program,
        bound,
        shader: this.#recorder.shader({
          name: kernel.name,
          code: program.code,
          uniformBytes: program.uniformBytes,
          reads: bound.map((i) => i + 1),
          writes: [kernel.arrays + 1],
        }),
      };
      variants.set(key, compiled);
    }
    return compiled;
  }
}

/** [z, y, x] as the words x, y, z. */
function putOutermostLast(words: Int32Array, at: number, values: View['strides']): void {
  words[at] = values[2];
  words[at + 1] = values[1];
  words[at + 2] = values[0];
}

/** Which of {@link GROUP_SIZES}: threads along the one long axis of a row or a column, otherwise squares. */
function groupShape({ extents: [, height, width] }: View): number {
  if (height === 1) return 1;
  return width === 1 ? 2 : 0;
}
