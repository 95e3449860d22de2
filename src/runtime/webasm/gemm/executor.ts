import type { Product } from '../../tuned.ts';
import type { View3 } from '../../view3.ts';
import { hasFusedMultiply } from './fused.ts';
import { gemmModule } from './module.ts';
import { wordsOf } from './parameters.ts';
import { problemOf } from './problem.ts';

const FLOAT = 4;

export interface GemmMemory {
  readonly memory: WebAssembly.Memory;
  readonly maximumPages: number;
  /** Where parameters and a workspace may be written. */
  readonly block: number;
  readonly workspace: number;
}

/** Computes tasks `begin … end` of what stands in the block. */
type Run = (begin: number, end: number, workspace: number) => void;

/** Multiplies matrices that lie in one memory. */
export class GemmExecutor {
  readonly #memory: WebAssembly.Memory;
  readonly #block: number;
  readonly #workspace: number;
  readonly #run: Run;
  /** For reports: what multiplies. */
  readonly description: string;

  constructor({ memory, maximumPages, block, workspace }: GemmMemory) {
    this.#memory = memory;
    this.#block = block;
    this.#workspace = workspace;
    const fused = hasFusedMultiply();
    this.description = fused ? 'packed GEMM (fused multiply-add)' : 'packed GEMM';
    const bytes = gemmModule({ block, fused, maximumPages, shared: false });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    this.#run = exports.run as Run;
  }

  /** Views are in elements from the start of the memory. */
  multiply(product: Product<View3>): void {
    const { batch, rows, columns, k, accumulate, a, b, c, bias } = problemOf(product);
    const words = wordsOf({
      rows,
      columns,
      k,
      accumulate: Number(accumulate),
      a: a.base * FLOAT,
      aBatch: a.batch * FLOAT,
      aRow: a.row * FLOAT,
      aK: a.column * FLOAT,
      b: b.base * FLOAT,
      bBatch: b.batch * FLOAT,
      bColumn: b.column * FLOAT,
      bK: b.row * FLOAT,
      c: c.base * FLOAT,
      cBatch: c.batch * FLOAT,
      cRow: c.row * FLOAT,
      cColumn: c.column * FLOAT,
      bias: (bias?.base ?? 0) * FLOAT,
      biasBatch: (bias?.batch ?? 0) * FLOAT,
      biasRow: (bias?.row ?? 0) * FLOAT,
      biasColumn: (bias?.column ?? 0) * FLOAT,
      taskRows: rows,
      taskColumns: columns,
    });
    new Int32Array(this.#memory.buffer, this.#block, words.length).set(words);
    this.#run(0, batch, this.#workspace);
  }
}
