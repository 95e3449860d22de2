import { convolutionParameters } from '../../products/convolution.ts';
import { asBatch, lanewiseParameters } from '../../products/lanewise-product.ts';
import type {
  ConvolutionParameters,
  LanewiseParameters,
  ProductParameters,
} from '../../products/parameters.ts';
import { productParameters } from '../../products/product.ts';
import type { Convolution, LanewiseProduct, Product } from '../../tuned.ts';
import type { View3 } from '../../view3.ts';
import type { Program, Runner } from '../runner.ts';
import { hasFusedMultiply } from './fused.ts';
import { lanewiseModule } from './lanewise.ts';
import { TILE } from './micro-kernel.ts';
import { convolutionModule, type ModuleOptions, productModule } from './module.ts';
import { WORDS, writeParameters } from './parameters.ts';
import { divide } from './tasks.ts';

const FORM = { unit: 4, narrow: TILE.columns };
/** Lanes of a lanewise product that are computed at once. */
const LANES = 4;

export interface GemmOptions {
  readonly runner: Runner;
  readonly maximumPages: number;
  /** Where parameters may be written. */
  readonly block: number;
}

/** Multiplies matrices that lie in the memory of a runner, whose workspaces are as large as a GEMM's. */
export class GemmExecutor {
  /** For reports: what multiplies. */
  readonly description: string;
  readonly #options: GemmOptions;
  readonly #fused = hasFusedMultiply();
  #products: Program | undefined;
  #convolutions: Program | undefined;
  #lanewise: Program | undefined;

  constructor(options: GemmOptions) {
    this.#options = options;
    this.description = this.#fused ? 'own SIMD (fused multiply-add)' : 'own SIMD';
  }

  /** Views are in elements from the start of the memory. */
  multiply(product: Product<View3>): void {
    const { batch, parameters } = productParameters(product, FORM);
    this.#run((this.#products ??= this.#load(productModule)), parameters, batch);
  }

  /** Views are in elements from the start of the memory. */
  multiplyLanes(product: LanewiseProduct<View3>): void {
    const lanes = product.out.extents[2];
    if (lanes < LANES) {
      this.multiply(asBatch(product));
      return;
    }
    const parameters = lanewiseParameters(product, FORM);
    this.#run((this.#lanewise ??= this.#load(lanewiseModule)), parameters, Math.ceil(lanes / LANES));
  }

  /** Views are in elements from the start of the memory. */
  convolve(convolution: Convolution<View3>): void {
    const parameters = convolutionParameters(convolution, FORM);
    this.#run((this.#convolutions ??= this.#load(convolutionModule)), parameters, convolution.groups);
  }

  #run(
    program: Program,
    whole: ProductParameters | LanewiseParameters | ConvolutionParameters,
    batch: number,
  ): void {
    const { runner, block } = this.#options;
    const { taskRows, taskColumns, tasks, step } = divide(whole, batch, runner.threads);
    writeParameters(new Int32Array(runner.memory.buffer, block, WORDS), whole, { taskRows, taskColumns });
    runner.run(program, [0, tasks], { at: 0, step });
  }

  #load(moduleOf: (options: ModuleOptions) => Uint8Array<ArrayBuffer>): Program {
    const { runner, maximumPages, block } = this.#options;
    const bytes = moduleOf({ block, fused: this.#fused, maximumPages, shared: runner.shared });
    return runner.load(new WebAssembly.Module(bytes));
  }
}
