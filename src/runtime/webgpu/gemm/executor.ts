import type { BoundView } from '../../bound-view.ts';
import { convolutionParameters } from '../../products/convolution.ts';
import { asBatch, lanewiseParameters } from '../../products/lanewise-product.ts';
import type {
  ConvolutionParameters,
  LanewiseParameters,
  ProductParameters,
} from '../../products/parameters.ts';
import { productParameters } from '../../products/product.ts';
import type { Convolution, LanewiseProduct, Product } from '../../tuned.ts';
import type { Recorder } from '../recorder.ts';
import type { Shader } from '../shader.ts';
import { lanewiseShader, lanewiseTile } from './lanewise.ts';
import { CONVOLUTION_OPERANDS, PRODUCT_OPERANDS } from './operands.ts';
import { BLOCK_BYTES, writeBlock } from './parameters.ts';
import { SMALL_PRODUCTS, smallShader } from './small.ts';
import { chooseTile, TILES, type Tile } from './tile.ts';
import { type Along, tiledShader } from './tiled.ts';

type View = BoundView<GPUBuffer>;

/** Addresses count elements; what has fewer columns than half a tile is turned over. */
const FORM = { unit: 1, narrow: 32 };
/** Below so many elements, the matrices of a batch are made side by side. */
const SMALL = 32;
/** Fewer lanes than this are a batch of products. */
const LEAST_LANES = 8;

interface Call {
  /** In the order of the bindings. */
  readonly buffers: readonly GPUBuffer[];
  readonly parameters: ProductParameters | LanewiseParameters | ConvolutionParameters;
  readonly batch: number;
  readonly biased: boolean;
  /** Of the result. */
  readonly extents: readonly number[];
}
type TiledCall = Call & { readonly parameters: ProductParameters | ConvolutionParameters };

/** Workgroups along x, y and z. */
type Groups = readonly [x: number, y: number, z: number];

/** Tiled shaders by tile and by the axes along which A and B are read. */
class TiledShaders {
  readonly #make: (tile: Tile, aAlong: Along, bAlong: Along) => Shader;
  readonly #made: (Shader | undefined)[] = [];

  constructor(make: (tile: Tile, aAlong: Along, bAlong: Along) => Shader) {
    this.#make = make;
  }

  get(tile: number, aAlong: Along, bAlong: Along): Shader {
    const key = tile * 4 + (aAlong === 'k' ? 2 : 0) + (bAlong === 'k' ? 1 : 0);
    return (this.#made[key] ??= this.#make(TILES[tile] as Tile, aAlong, bAlong));
  }
}

/** Sums of products as WGSL of our own. */
export class GemmExecutor {
  readonly #recorder: Recorder;
  readonly #choose: typeof chooseTile;
  readonly #products: TiledShaders;
  readonly #convolutions: TiledShaders;
  /** By the lanes of a workgroup. */
  readonly #lanewise: (Shader | undefined)[] = [];
  #small: Shader | undefined;

  /** `choose`: the tile of a product, by its position in `TILES`. */
  constructor(recorder: Recorder, choose = chooseTile) {
    this.#recorder = recorder;
    this.#choose = choose;
    const tiled = (name: string, operands: string): TiledShaders =>
      new TiledShaders((tile, aAlong, bAlong) =>
        this.#shader(name, tiledShader(tile, operands, aAlong, bAlong)),
      );
    this.#products = tiled('multiply', PRODUCT_OPERANDS);
    this.#convolutions = tiled('convolve', CONVOLUTION_OPERANDS);
  }

  multiply({ out, a, b, bias, accumulate, seen }: Product<View>): void {
    const { batch, turned, parameters } = productParameters(
      { out, a, b, bias, accumulate: accumulate === true, seen },
      FORM,
    );
    const { rows, columns, aRow, aK, bColumn, bK } = parameters;
    const buffers = turned ? buffersOf(b, a, bias, out) : buffersOf(a, b, bias, out);
    const call = { buffers, parameters, batch, biased: bias !== undefined, extents: out.extents };
    if (rows * columns < SMALL && batch > 1) {
      this.#small ??= this.#shader('multiply', smallShader());
      this.#run(this.#small, call, [Math.ceil(batch / SMALL_PRODUCTS), columns, rows]);
    } else this.#runTiled(this.#products, call, along(aK, aRow), along(bK, bColumn));
  }

  multiplyLanes(product: LanewiseProduct<View>): void {
    const { out, a, b } = product;
    const { extents } = out;
    const [rows, columns, lanes] = extents;
    if (lanes < LEAST_LANES) {
      this.multiply(asBatch(product));
      return;
    }
    const tile = lanewiseTile(lanes);
    const shader = (this.#lanewise[tile.lanes] ??= this.#shader(
      'multiplyLanes',
      lanewiseShader(tile),
      [1, 2],
      3,
    ));
    const buffers = [a.handle, b.handle, out.handle];
    const parameters = lanewiseParameters(product, FORM);
    this.#run(shader, { buffers, parameters, batch: 1, biased: false, extents }, [
      Math.ceil(lanes / tile.lanes),
      Math.ceil(columns / tile.columns),
      Math.ceil(rows / tile.rows),
    ]);
  }

  convolve(convolution: Convolution<View>): void {
    const { out, image, weight, bias, groups: batch } = convolution;
    const parameters = convolutionParameters(convolution, FORM);
    const buffers = buffersOf(weight, image, bias, out);
    const call = { buffers, parameters, batch, biased: bias !== undefined, extents: out.extents };
    // The windows of neighbouring places lie side by side.
    this.#runTiled(this.#convolutions, call, along(parameters.aK, parameters.aRow), 'other');
  }

  #runTiled(shaders: TiledShaders, call: TiledCall, aAlong: Along, bAlong: Along): void {
    const { rows, columns } = call.parameters;
    const which = this.#choose(rows, columns, call.batch);
    const tile = TILES[which] as Tile;
    const groups = [Math.ceil(columns / tile.columns), Math.ceil(rows / tile.rows), call.batch] as const;
    this.#run(shaders.get(which, aAlong, bAlong), call, groups);
  }

  /** One dispatch, or more where there are more workgroups than the adapter takes at a time. */
  #run(shader: Shader, call: Call, [wide, high, deep]: Groups): void {
    const { buffers, parameters, batch, extents } = call;
    const recorder = this.#recorder;
    const most = recorder.mostGroups;
    const biased = Number(call.biased);
    const pipeline = shader.pipeline();
    const bindGroup = shader.bindGroup(buffers);
    for (let firstZ = 0; firstZ < deep; firstZ += most) {
      for (let firstY = 0; firstY < high; firstY += most) {
        for (let firstX = 0; firstX < wide; firstX += most) {
          const start = recorder.beginBlock(shader);
          writeBlock(recorder.ints, start, parameters, { batch, biased, firstX, firstY, firstZ });
          const groups = [
            Math.min(most, wide - firstX),
            Math.min(most, high - firstY),
            Math.min(most, deep - firstZ),
          ] as const;
          recorder.dispatch({ shader, pipeline, bindGroup, groups, extents });
        }
      }
    }
  }

  #shader(name: string, code: string, reads = [1, 2, 3], write = 4): Shader {
    return this.#recorder.shader({ name, code, uniformBytes: BLOCK_BYTES, reads, writes: [write] });
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
