import type { SoftmaxRows } from '../../tuned.ts';
import type { View3 } from '../../view3.ts';
import type { Program, Runner } from '../runner.ts';
import { softmaxModule, writeSoftmaxParameters } from './softmax-module.ts';

const FLOAT = 4;
/** Parts for each thread, so that one that is late leaves some of its share to the others. */
const PARTS = 4;
/** Elements below which a part is not worth the hand-over: tens of microseconds. */
const LEAST_ELEMENTS = 2 ** 13;

export interface SoftmaxOptions {
  readonly runner: Runner;
  readonly maximumPages: number;
  /** Where parameters may be written. */
  readonly block: number;
}

/** Softmax over rows that lie in the memory of a runner. */
export class SoftmaxExecutor {
  readonly #options: SoftmaxOptions;
  #program: Program | undefined;

  constructor(options: SoftmaxOptions) {
    this.#options = options;
  }

  /** Views are in elements from the start of the memory. */
  run({ out, x }: SoftmaxRows<View3>): void {
    const { runner, maximumPages, block } = this.#options;
    this.#program ??= runner.load(
      new WebAssembly.Module(softmaxModule({ block, maximumPages, shared: runner.shared })),
    );
    const [planes, rows, length] = out.extents;
    const words = new Int32Array(runner.memory.buffer, block);
    writeSoftmaxParameters(words, {
      length,
      rows,
      x: x.base * FLOAT,
      xPlane: x.strides[0] * FLOAT,
      xRow: x.strides[1] * FLOAT,
      out: out.base * FLOAT,
      outPlane: out.strides[0] * FLOAT,
      outRow: out.strides[1] * FLOAT,
    });
    const all = planes * rows;
    const parts = Math.min(runner.threads * PARTS, Math.floor((all * length) / LEAST_ELEMENTS));
    runner.run(this.#program, [0, all], { at: 0, step: Math.ceil(all / Math.max(1, parts)) });
  }
}
