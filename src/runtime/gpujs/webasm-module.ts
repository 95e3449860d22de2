import {
  type ValueType,
  type WasmFunctionEmitter,
  WasmModuleBuilder,
} from 'gpu.js/src/backend/web-assembly/wasm-builder.js';
import { invariant } from '../../errors.ts';
import type { Kernel } from '../kernel.ts';
import { addMath, MATH_TABLE_ADDRESS } from './webasm-math.ts';
import type { Assembler, StridedArray, StridedWebasmNode, TiledWebasmNode } from './webasm-node.ts';

/** The parameter block: where a dispatch writes what the module reads. */
export const PARAMETER_BLOCK = { address: 64, end: MATH_TABLE_ADDRESS } as const;
/** The start of the memory is not the arena's: the parameter block, then the constants of {@link addMath}. */
export const ARENA_START = 1024;
export const MAX_PAGES = 65536;

/** Words of the block: address and strides x y z of the output, then the load limit; bytes. */
const WORD = { result: 0, resultX: 1, resultY: 2, resultZ: 3, limit: 4 } as const;
const HEADER_WORDS = 5;
/** Address and strides z y x of an array. */
const ARRAY_WORDS = 4;
/** Parameters of a function that computes a row, or part of one: z, y, the first x and the end. */
const PARAMETERS = ['i32', 'i32', 'i32', 'i32'] as const satisfies readonly ValueType[];
/** Lanes of a vector. */
export const LANES = 4;

/** A kernel in gpu.js's terms: its emitter, and those of its tiled forms, largest first, where it has some. */
export interface KernelNodes {
  readonly node: StridedWebasmNode;
  readonly tiles: readonly TiledWebasmNode[];
  readonly argumentNames: readonly string[];
}

export const blockWords = (kernel: Kernel): number =>
  HEADER_WORDS + ARRAY_WORDS * kernel.arrays + kernel.scalars.length;

const addressOf = (word: number): number => PARAMETER_BLOCK.address + word * 4;

/**
 * The module of a kernel for arrays of given stride classes; `contiguous` when the elements of a row of the output lie
 * one after another. It exports `run(zBegin, zEnd, yBegin, yEnd, xBegin, xEnd)`, which computes that part of the output with
 * what stands in the block.
 */
export function assemble(
  kernel: Kernel,
  { node, tiles, argumentNames }: KernelNodes,
  classes: readonly StridedArray['classes'][],
  contiguous: boolean,
  shared: boolean,
): Uint8Array<ArrayBuffer> {
  const words = blockWords(kernel);
  invariant(
    PARAMETER_BLOCK.address + words * 4 <= PARAMETER_BLOCK.end,
    () => `kernel ${kernel.name} has too many arguments`,
  );
  const module = new WasmModuleBuilder();
  module.addMemoryImport(1, MAX_PAGES, shared);
  addMath(module, node.usedMathImports);
  const rows = new RowFunctions(module);
  const arrays = argumentNames.slice(0, kernel.arrays).map((name, i): [string, StridedArray] => {
    const at = HEADER_WORDS + ARRAY_WORDS * i;
    const arrayClasses = classes[i] as StridedArray['classes'];
    const stride = (axis: 0 | 1 | 2): number =>
      arrayClasses[axis] === 'n' ? rows.fromBlock('i32', at + 1 + axis) : -1;
    return [
      name,
      { base: rows.fromBlock('i32', at), strides: [stride(0), stride(1), stride(2)], classes: arrayClasses },
    ];
  });
  const scalars = argumentNames.slice(kernel.arrays).map((name, i) => {
    const word = words - kernel.scalars.length + i;
    const type = kernel.scalars[i] === 'Integer' ? ('i32' as const) : ('f32' as const);
    return [name, { local: rows.fromBlock(type, word), type, offset: addressOf(word) }] as const;
  });
  const layout: Assembler['layout'] = {
    arrays: Object.fromEntries(arrays),
    scalars: Object.fromEntries(scalars),
    outputOffset: 0,
    ...rows.locals,
  };
  rows.add('kernel', node, 1, (module) =>
    node.emitFunction({ module, layout, globals: {}, helperInfo: null }),
  );
  const vector = (name: string, of: StridedWebasmNode): void =>
    rows.add(name, of, LANES, (module) =>
      of.emitVectorFunction({ module, layout, globals: {}, helperInfo: null }),
    );
  const single = { name: 'kernel', rows: 1 };
  const wide: RowFunction[] = [];
  if (contiguous) {
    for (const tile of tiles) {
      const name = `kernel_tile_${tile.rows}`;
      vector(name, tile);
      wide.push({ name, rows: tile.rows });
    }
    vector('kernel_simd', node);
    wide.push({ name: 'kernel_simd', rows: 1 });
  }
  const ranges = new Array<'i32'>(6).fill('i32');
  emitRun(module.addFunction('run', { params: ranges }), [single], wide);
  module.exportFunction('run');
  return module.toBytes();
}

/** Functions that compute a row of the output, or part of one: the code of one thread inside a loop over x. */
class RowFunctions {
  readonly #module: WasmModuleBuilder;
  readonly #loads: { type: ValueType; load: (em: WasmFunctionEmitter) => void }[] = [];
  readonly #end: number;
  readonly #resultX: number;
  readonly #resultZ: number;
  readonly #rowResult: number;
  /** Locals that every function has. */
  readonly locals: Pick<Assembler['layout'], 'thread' | 'result' | 'resultRow' | 'limit'>;

  constructor(module: WasmModuleBuilder) {
    this.#module = module;
    const [z, y, x, end] = [0, 1, 2, 3];
    this.#end = end;
    this.#resultX = this.fromBlock('i32', WORD.resultX);
    this.#resultZ = this.fromBlock('i32', WORD.resultZ);
    this.#rowResult = this.fromBlock('i32', WORD.result);
    const resultRow = this.fromBlock('i32', WORD.resultY);
    const result = this.#local('i32', () => {});
    this.locals = { thread: { x, y, z }, result, resultRow, limit: this.fromBlock('i32', WORD.limit) };
  }

  fromBlock(type: 'i32' | 'f32', word: number): number {
    return this.#local(type, (em) => {
      em.i32Const(0);
      if (type === 'i32') em.i32Load(addressOf(word));
      else em.f32Load(addressOf(word));
    });
  }

  /**
   * Adds a function whose threads compute `lanes` elements each. Where lanes do not divide the row, the last thread starts
   * early and computes some elements again: they get the same bits.
   */
  add(
    name: string,
    node: StridedWebasmNode,
    lanes: number,
    emitThread: (module: Assembler['module']) => WasmFunctionEmitter,
  ): void {
    const { thread, result, resultRow } = this.locals;
    const em = emitThread({
      addFunction: () => {
        const em = this.#module.addFunction(name, { params: [...PARAMETERS] });
        for (const { type, load } of this.#loads) {
          const local = em.addLocal(type);
          const before = em.bytes.length;
          load(em);
          if (em.bytes.length > before) em.localSet(local);
        }
        em.localGet(this.#rowResult).localGet(thread.z).localGet(this.#resultZ).i32Mul().i32Add();
        em.localGet(thread.y).localGet(resultRow).i32Mul().i32Add().localSet(this.#rowResult);
        em.block().loop().block();
        em.localGet(this.#rowResult).localGet(thread.x).localGet(this.#resultX).i32Mul().i32Add();
        em.localSet(result);
        // A thread that returns goes on to the next.
        em.return_ = () => em.br(node.depth);
        return em;
      },
    });
    em.end();
    if (lanes > 1 && node.vRetMask !== -1) em.v128ConstI32x4(0, 0, 0, 0).localSet(node.vRetMask);
    em.localGet(thread.x).i32Const(lanes).i32Add().localTee(thread.x);
    em.localGet(this.#end).i32GeS().brIf(1);
    if (lanes > 1) {
      const last = (): unknown => em.localGet(this.#end).i32Const(lanes).i32Sub();
      em.localGet(thread.x);
      last();
      em.localGet(thread.x);
      last();
      em.i32LtS().select().localSet(thread.x);
    }
    em.br(0).end().end();
  }

  #local(type: ValueType, load: (em: WasmFunctionEmitter) => void): number {
    this.#loads.push({ type, load });
    return PARAMETERS.length + this.#loads.length - 1;
  }
}

interface RowFunction {
  readonly name: string;
  readonly rows: number;
}

/** The loops over z and y, with functions for parts of rows of at least four elements, if any, and functions for all others. */
function emitRun(
  em: WasmFunctionEmitter,
  narrow: readonly RowFunction[],
  wide: readonly RowFunction[],
): void {
  const [z, zEnd, yBegin, yEnd, x, xEnd] = [0, 1, 2, 3, 4, 5];
  const y = em.addLocal('i32');
  const plane = (functions: readonly RowFunction[]): void => {
    em.localGet(yBegin).localSet(y);
    for (const { name, rows } of functions) {
      em.block().loop();
      em.localGet(yEnd).localGet(y).i32Const(rows).i32Add().i32LtS().brIf(1);
      em.localGet(z).localGet(y).localGet(x).localGet(xEnd).call(name);
      em.localGet(y).i32Const(rows).i32Add().localSet(y);
      em.br(0).end().end();
    }
  };
  em.block().loop();
  em.localGet(z).localGet(zEnd).i32GeS().brIf(1);
  if (wide.length === 0) plane(narrow);
  else {
    em.localGet(xEnd).localGet(x).i32Sub().i32Const(LANES).i32GeS();
    em.if_();
    plane(wide);
    em.else_();
    plane(narrow);
    em.end();
  }
  em.localGet(z).i32Const(1).i32Add().localSet(z);
  em.br(0).end().end();
}
