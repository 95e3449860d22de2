import { FunctionBuilder } from 'gpu.js/src/backend/function-builder.js';
import { invariant } from '../../errors.ts';
import type { Kernel } from '../kernel.ts';
import type { View3 } from '../view3.ts';
import type { Cut, Program, Runner } from '../webasm/runner.ts';
import { prepare, translating } from './translate.ts';
import { writeMathTable } from './webasm-math.ts';
import { assemble, blockWords, type KernelNodes, LANES, PARAMETER_BLOCK } from './webasm-module.ts';
import { type StrideClass, type StridedArray, StridedWebasmNode, TILES } from './webasm-node.ts';

/** Elements behind the arena that loads of four or eight neighbours may touch. */
export const MARGIN_ELEMENTS = 8;
export const PAGE_BYTES = 65536;
const ELEMENT_BYTES = 4;

interface Translation extends KernelNodes {
  readonly variants: Map<string, WebAssembly.Module>;
}

const translations = new WeakMap<Kernel, Translation>();

/** Runs kernels as WebAssembly over the memory of a runner. */
export class WebasmExecutor {
  readonly #runner: Runner;
  readonly #variants = new WeakMap<Kernel, Map<string, Program>>();

  constructor(runner: Runner) {
    this.#runner = runner;
    writeMathTable(runner.memory.buffer);
  }

  /** Views are in elements from the start of the memory. */
  run(kernel: Kernel, out: View3, arrays: readonly View3[], scalars: readonly number[]): void {
    this.#writeParameters(kernel, out, arrays, scalars);
    const [planes, rows, columns] = out.extents;
    const simd = out.strides[2] === 1 || columns === 1;
    const cut = cutOf(out, arrays, this.#runner.threads);
    const run = (first: number, end: number, lanes: boolean): void =>
      this.#runner.run(this.#variant(kernel, arrays, lanes), [0, planes, 0, rows, first, end], cut);
    const rest = columns % LANES;
    const inPlace = arrays.some(({ base }) => base === out.base);
    if (inPlace && simd && rest > 0 && rest < columns) {
      // The last lanes of a row would be computed twice, the second time from what the first one wrote.
      run(0, columns - rest, true);
      run(columns - rest, columns, false);
    } else run(0, columns, simd);
  }

  #writeParameters(kernel: Kernel, out: View3, arrays: readonly View3[], scalars: readonly number[]): void {
    const words = blockWords(kernel);
    const { buffer } = this.#runner.memory;
    const block = new DataView(buffer, PARAMETER_BLOCK.address, words * 4);
    let at = 0;
    const put = (value: number): void => {
      block.setInt32(at, value, true);
      at += 4;
    };
    const putBytes = (elements: number): void => put(elements * ELEMENT_BYTES);
    putBytes(out.base);
    putBytes(out.strides[2]);
    putBytes(out.strides[1]);
    putBytes(out.strides[0]);
    put(buffer.byteLength - MARGIN_ELEMENTS * ELEMENT_BYTES);
    for (const view of arrays) {
      putBytes(view.base);
      for (const stride of view.strides) putBytes(stride);
    }
    kernel.scalars.forEach((type, i) => {
      const value = scalars[i] as number;
      if (type === 'Integer') block.setInt32(at, value, true);
      else block.setFloat32(at, value, true);
      at += 4;
    });
  }

  #variant(kernel: Kernel, arrays: readonly View3[], simd: boolean): Program {
    let variants = this.#variants.get(kernel);
    if (!variants) this.#variants.set(kernel, (variants = new Map()));
    const classes = arrays.map(classesOf);
    const key = `${simd ? 'simd' : 'scalar'} ${classes.map((c) => c.join('')).join(' ')}`;
    let variant = variants.get(key);
    if (!variant) {
      variant = this.#runner.load(moduleFor(kernel, key, classes, simd, this.#runner.shared));
      variants.set(key, variant);
    }
    return variant;
  }
}

/** Parts for each thread, so that one that is late leaves some of its share to the others. */
const PARTS = 4;
/** Elements read or written below which a part is not worth the hand-over: tens of microseconds. */
const LEAST_ELEMENTS = 2 ** 15;
/** Rows and elements that are computed together, or lie in one line of the cache. */
const GRAIN = { rows: 8, columns: 16 } as const;

/** How to divide a kernel among threads: by planes, rows or parts of rows, the first there are enough of. */
function cutOf(out: View3, arrays: readonly View3[], threads: number): Cut | undefined {
  if (threads === 1) return undefined;
  const sizes = [out, ...arrays].map(({ extents: [z, y, x] }) => z * y * x);
  const parts = Math.min(threads * PARTS, Math.floor(Math.max(...sizes) / LEAST_ELEMENTS));
  if (parts < 2) return undefined;
  const [planes, rows, columns] = out.extents;
  const step = (extent: number, grain: number): number => Math.ceil(extent / parts / grain) * grain;
  if (planes >= parts) return { at: 0, step: step(planes, 1) };
  if (rows >= parts) return { at: 2, step: step(rows, rows >= GRAIN.rows * parts ? GRAIN.rows : 1) };
  if (columns > GRAIN.columns) return { at: 4, step: step(columns, GRAIN.columns) };
  return rows > planes ? { at: 2, step: 1 } : { at: 0, step: 1 };
}

const classOf = (stride: number): StrideClass => (stride === 0 || stride === 1 ? stride : 'n');
const classesOf = ({ strides: [z, y, x] }: View3): StridedArray['classes'] => [
  classOf(z),
  classOf(y),
  classOf(x),
];

function nodeOf<Node extends StridedWebasmNode>(
  kernel: Kernel,
  type: new (source: string, settings: unknown) => Node,
): { node: Node; argumentNames: readonly string[] } {
  const gpuKernel = prepare(kernel);
  const builder = FunctionBuilder.fromKernel(gpuKernel, type);
  builder.traceFunctionCalls('kernel', []);
  gpuKernel.returnType ??= builder.getKernelResultType();
  const node = builder.functionMap.kernel;
  invariant(node, () => `gpu.js made no function of kernel ${kernel.name}`);
  return { node, argumentNames: gpuKernel.argumentNames };
}

function translate(kernel: Kernel): Translation {
  let translation = translations.get(kernel);
  if (!translation) {
    const { node, argumentNames } = nodeOf(kernel, StridedWebasmNode);
    const tiles = node.tileable ? TILES.map((tile) => nodeOf(kernel, tile).node) : [];
    translation = { node, tiles, argumentNames, variants: new Map() };
    translations.set(kernel, translation);
  }
  return translation;
}

/** The compiled module of a kernel for given stride classes and kind of memory, made once per process. */
function moduleFor(
  kernel: Kernel,
  key: string,
  classes: readonly StridedArray['classes'][],
  simd: boolean,
  shared: boolean,
): WebAssembly.Module {
  return translating(kernel, () => {
    const translation = translate(kernel);
    const variant = `${shared ? 'shared ' : ''}${key}`;
    let module = translation.variants.get(variant);
    if (!module) {
      module = new WebAssembly.Module(assemble(kernel, translation, classes, simd, shared));
      translation.variants.set(variant, module);
    }
    return module;
  });
}
