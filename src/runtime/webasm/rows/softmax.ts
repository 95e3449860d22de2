import type { SoftmaxRows } from '../../tuned.ts';
import type { View3 } from '../../view3.ts';
import type { Program, Runner } from '../runner.ts';
import { FLOAT_BYTES } from './row-access.ts';
import { softmaxModule, writeSoftmaxParameters } from './softmax-module.ts';

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
  /** By whether rows are dense. */
  readonly #programs = new Map<boolean, Program>();

  constructor(options: SoftmaxOptions) {
    this.#options = options;
  }

  /** Views are in elements from the start of the memory. */
  run({ out, x, seen }: SoftmaxRows<View3>): void {
    const { runner, block } = this.#options;
    const [planes, rows, length] = out.extents;
    const [xStep, outStep] = [x.strides[2], out.strides[2]];
    const program = this.#program(xStep === 1 && outStep === 1);
    const words = new Int32Array(runner.memory.buffer, block);
    writeSoftmaxParameters(words, {
      length,
      rows,
      seen: seen ?? length,
      seenStep: seen === undefined ? 0 : 1,
      x: x.base * FLOAT_BYTES,
      xPlane: x.strides[0] * FLOAT_BYTES,
      xRow: x.strides[1] * FLOAT_BYTES,
      xStep,
      out: out.base * FLOAT_BYTES,
      outPlane: out.strides[0] * FLOAT_BYTES,
      outRow: out.strides[1] * FLOAT_BYTES,
      outStep,
    });
    const all = planes * rows;
    const parts = Math.min(runner.threads * PARTS, Math.floor((all * length) / LEAST_ELEMENTS));
    runner.run(program, [0, all], { at: 0, step: Math.ceil(all / Math.max(1, parts)) });
  }

  #program(dense: boolean): Program {
    const { runner, maximumPages, block } = this.#options;
    const known = this.#programs.get(dense);
    if (known) return known;
    const bytes = softmaxModule({ block, dense, maximumPages, shared: runner.shared });
    const program = runner.load(new WebAssembly.Module(bytes));
    this.#programs.set(dense, program);
    return program;
  }
}
