import type { BoundView } from '../../base-device.ts';
import { convolutionParameters } from '../../products/convolution.ts';
import { asBatch, lanewiseParameters } from '../../products/lanewise-product.ts';
import type {
  ConvolutionParameters,
  LanewiseParameters,
  ProductParameters,
} from '../../products/parameters.ts';
import { productParameters } from '../../products/product.ts';
import type { Convolution, LanewiseProduct, Product, TunedKernels } from '../../tuned.ts';
import type { Recorder } from '../recorder.ts';
import type { Shader } from '../shader.ts';
import { lanewiseShader, lanewiseTile } from './lanewise.ts';
import { CONVOLUTION_OPERANDS, PRODUCT_OPERANDS } from './operands.ts';
import { BLOCK_BYTES, writeBlock } from './parameters.ts';
import { SMALL_PRODUCTS, smallShader } from './small.ts';
import { chooseTile, TILES } from './tile.ts';
import { type Along, tiledShader } from './tiled.ts';

type View = BoundView<GPUBuffer>;

/** Addresses count elements; what has fewer columns than half a tile is turned over. */
const FORM = { unit: 1, narrow: 32 };
/** Below so many elements, the matrices of a batch are made side by side. */
const SMALL = 32;
/** Fewer lanes than this are a batch of products. */
const LEAST_LANES = 8;

interface Call {
  readonly shader: Shader;
  /** In the order of the bindings. */
  readonly buffers: readonly GPUBuffer[];
  readonly parameters: ProductParameters | LanewiseParameters | ConvolutionParameters;
  readonly batch: number;
  readonly biased: boolean;
  /** Workgroups along x, y and z. */
  readonly groups: readonly [number, number, number];
  readonly extents: readonly number[];
}

/** Sums of products as WGSL of our own. */
export class GemmExecutor implements TunedKernels<View> {
  readonly description = 'tiled GEMM';
  readonly #recorder: Recorder;
  readonly #choose: typeof chooseTile;
  readonly #shaders = new Map<string, Shader>();

  constructor(recorder: Recorder, choose = chooseTile) {
    this.#recorder = recorder;
    this.#choose = choose;
  }

  multiply(product: Product<View>): void {
    const { out, a, b, bias } = product;
    const { batch, turned, parameters } = productParameters(product, FORM);
    const { rows, columns } = parameters;
    const buffers = turned ? buffersOf(b, a, bias, out) : buffersOf(a, b, bias, out);
    const call = { buffers, parameters, batch, biased: bias !== undefined };
    const { extents } = out;
    if (rows * columns < SMALL && batch > 1) {
      const shader = this.#shader('small', 'multiply', smallShader);
      this.#run({ ...call, shader, groups: [Math.ceil(batch / SMALL_PRODUCTS), columns, rows], extents });
    } else this.#runTiled('multiply', PRODUCT_OPERANDS, call, extents);
  }

  multiplyLanes(product: LanewiseProduct<View>): void {
    const { out, a, b } = product;
    const [rows, columns, lanes] = out.extents;
    if (lanes < LEAST_LANES) {
      this.multiply(asBatch(product));
      return;
    }
    const tile = lanewiseTile(lanes);
    this.#run({
      shader: this.#shader(`lanes ${tile.lanes}`, 'multiplyLanes', () => lanewiseShader(tile), [1, 2], 3),
      buffers: [a.handle, b.handle, out.handle],
      parameters: lanewiseParameters(product, FORM),
      batch: 1,
      biased: false,
      groups: [Math.ceil(lanes / tile.lanes), Math.ceil(columns / tile.columns), Math.ceil(rows / tile.rows)],
      extents: out.extents,
    });
  }

  convolve(convolution: Convolution<View>): void {
    const { out, image, weight, bias, groups } = convolution;
    this.#runTiled(
      'convolve',
      CONVOLUTION_OPERANDS,
      {
        buffers: buffersOf(weight, image, bias, out),
        parameters: convolutionParameters(convolution, FORM),
        batch: groups,
        biased: bias !== undefined,
      },
      out.extents,
    );
  }

  #runTiled(
    name: 'multiply' | 'convolve',
    operands: string,
    call: Pick<Call, 'buffers' | 'batch' | 'biased'> & {
      readonly parameters: ProductParameters | ConvolutionParameters;
    },
    extents: readonly number[],
  ): void {
    const { rows, columns, aRow, aK, bColumn, bK } = call.parameters;
    const tile = this.#choose(rows, columns, call.batch);
    const aAlong = along(aK, aRow);
    // The windows of neighbouring places lie side by side.
    const bAlong = name === 'convolve' ? 'other' : along(bK, bColumn);
    const key = `${name} ${TILES.indexOf(tile)} ${aAlong} ${bAlong}`;
    this.#run({
      ...call,
      shader: this.#shader(key, name, () => tiledShader(tile, operands, aAlong, bAlong)),
      groups: [Math.ceil(columns / tile.columns), Math.ceil(rows / tile.rows), call.batch],
      extents,
    });
  }

  /** One dispatch, or more where there are more workgroups than the adapter takes at a time. */
  #run({ shader, buffers, parameters, batch, biased, groups, extents }: Call): void {
    const most = this.#recorder.mostGroups;
    const pipeline = shader.pipeline();
    const bindGroup = shader.bindGroup(buffers);
    const [wide, high, deep] = groups;
    for (let firstZ = 0; firstZ < deep; firstZ += most) {
      for (let firstY = 0; firstY < high; firstY += most) {
        for (let firstX = 0; firstX < wide; firstX += most) {
          const start = this.#recorder.beginBlock(shader);
          writeBlock(this.#recorder.ints, start, parameters, {
            batch,
            biased: Number(biased),
            firstX,
            firstY,
            firstZ,
          });
          this.#recorder.dispatch({
            shader,
            pipeline,
            bindGroup,
            groups: [
              Math.min(most, wide - firstX),
              Math.min(most, high - firstY),
              Math.min(most, deep - firstZ),
            ],
            extents,
          });
        }
      }
    }
  }

  #shader(key: string, name: string, code: () => string, reads = [1, 2, 3], write = 4): Shader {
    let shader = this.#shaders.get(key);
    if (!shader) {
      shader = this.#recorder.shader({
        name,
        code: code(),
        uniformBytes: BLOCK_BYTES,
        reads,
        writes: [write],
      });
      this.#shaders.set(key, shader);
    }
    return shader;
  }
}

/** Without a bias B stands in for it, unread. */
const buffersOf = (a: View, b: View, bias: View | undefined, c: View): GPUBuffer[] => [
  a.handle,
  b.handle,
  (bias ?? b).handle,
  c.handle,
];

/** A stride of 0 is that of one element. */
const along = (k: number, other: number): Along =>
  other === 0 || (k !== 0 && Math.abs(k) <= Math.abs(other)) ? 'k' : 'other';
