import type { Convolution, Product } from '../../tuned.ts';
import type { View3 } from '../../view3.ts';
import { convolutionParameters } from './convolution.ts';
import { hasFusedMultiply } from './fused.ts';
import { gemmModule } from './module.ts';
import { type ConvolutionParameters, type ProductParameters, wordsOf } from './parameters.ts';
import { productParameters } from './product.ts';

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
  /** For reports: what multiplies. */
  readonly description: string;
  readonly #at: GemmMemory;
  readonly #fused = hasFusedMultiply();
  #products: Run | undefined;
  #convolutions: Run | undefined;

  constructor(at: GemmMemory) {
    this.#at = at;
    this.description = this.#fused ? 'packed GEMM (fused multiply-add)' : 'packed GEMM';
  }

  /** Views are in elements from the start of the memory. */
  multiply(product: Product<View3>): void {
    const { batch, parameters } = productParameters(product);
    this.#run((this.#products ??= this.#instantiate(false)), parameters, batch);
  }

  /** Views are in elements from the start of the memory. */
  convolve(convolution: Convolution<View3>): void {
    const parameters = convolutionParameters(convolution);
    this.#run((this.#convolutions ??= this.#instantiate(true)), parameters, convolution.groups);
  }

  #run(run: Run, parameters: ProductParameters | ConvolutionParameters, batch: number): void {
    const { memory, block, workspace } = this.#at;
    const words = wordsOf(parameters);
    new Int32Array(memory.buffer, block, words.length).set(words);
    run(0, batch, workspace);
  }

  #instantiate(windows: boolean): Run {
    const { memory, maximumPages, block } = this.#at;
    const bytes = gemmModule({ block, windows, fused: this.#fused, maximumPages, shared: false });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    return exports.run as Run;
  }
}
