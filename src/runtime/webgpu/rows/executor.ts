import type { BoundView } from '../../bound-view.ts';
import type { NormalisedRows, SoftmaxRows } from '../../tuned.ts';
import type { Recorder } from '../recorder.ts';
import type { Shader } from '../shader.ts';
import { parametersRead, ROW_WORDS, type RowKind, rowShader, rowsOfGroup, threadsOfRow } from './shader.ts';

type View = BoundView<GPUBuffer>;

/** Softmax and normalisation of rows, one dispatch each, workgroups adding up rows together. */
export class RowExecutor {
  readonly #recorder: Recorder;
  readonly #shaders = new Map<string, Shader>();

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  softmax({ out, x, seen }: SoftmaxRows<View>): void {
    this.#run('softmax', out, x, [], 0, seen);
  }

  normalise({ out, x, weight, bias, epsilon }: NormalisedRows<View>): void {
    if (bias) this.#run('layerNorm', out, x, [weight, bias], epsilon);
    else this.#run('rmsNorm', out, x, [weight], epsilon);
  }

  /** `parameters`: weight and bias, as rows. */
  #run(kind: RowKind, out: View, x: View, parameters: readonly View[], epsilon: number, seen?: number): void {
    const recorder = this.#recorder;
    const most = recorder.mostGroups;
    const { extents } = out;
    const [planes, rows, length] = extents;
    const inPlace = out.handle === x.handle;
    const shader = this.#shader(kind, threadsOfRow(length), inPlace);
    const buffers = inPlace ? [] : [x.handle];
    for (const { handle } of parameters) buffers.push(handle);
    buffers.push(out.handle);
    const bindGroup = shader.bindGroup(buffers);
    const pipeline = shader.pipeline();
    const groups = Math.ceil(rows / rowsOfGroup(length));
    const [weight, bias] = parameters;
    for (let firstY = 0; firstY < planes; firstY += most) {
      for (let firstX = 0; firstX < groups; firstX += most) {
        const start = recorder.beginBlock(shader);
        const words = [
          length,
          rows,
          seen ?? length,
          seen === undefined ? 0 : 1,
          firstX,
          firstY,
          x.base,
          x.strides[0],
          x.strides[1],
          x.strides[2],
          out.base,
          out.strides[0],
          out.strides[1],
          out.strides[2],
          weight?.base ?? 0,
          weight?.strides[2] ?? 0,
          bias?.base ?? 0,
          bias?.strides[2] ?? 0,
        ];
        recorder.ints.set(words, start);
        recorder.floats[start + words.length] = epsilon;
        const part = [Math.min(most, groups - firstX), Math.min(most, planes - firstY), 1] as const;
        recorder.dispatch({ shader, pipeline, bindGroup, groups: part, extents });
      }
    }
  }

  #shader(kind: RowKind, share: number, inPlace: boolean): Shader {
    const key = `${kind} ${share} ${inPlace}`;
    let shader = this.#shaders.get(key);
    if (!shader) {
      shader = this.#recorder.shader({
        name: kind,
        code: rowShader(kind, share, inPlace),
        uniformBytes: Math.ceil(ROW_WORDS.length / 4) * 16,
        reads: [...(inPlace ? [] : [1]), ...parametersRead(kind)],
        writes: [4],
      });
      this.#shaders.set(key, shader);
    }
    return shader;
  }
}
