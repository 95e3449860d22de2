import { FunctionBuilder } from 'gpu.js/src/backend/function-builder.js';
import {
  type ValueType,
  type WasmFunctionEmitter,
  WasmModuleBuilder,
} from 'gpu.js/src/backend/web-assembly/wasm-builder.js';
import { invariant } from '../../errors.ts';
import type { Kernel } from '../kernel.ts';
import type { View3 } from '../view3.ts';
import { prepare, translating } from './translate.ts';
import { addMath, importedMath } from './webasm-math.ts';
import { type Assembler, type StrideClass, type StridedArray, StridedWebasmNode } from './webasm-node.ts';

/** The parameter block: where a dispatch writes what the module reads. It occupies the start of the memory. */
export const PARAMETER_BLOCK = { address: 64, end: 1024 } as const;
/** Elements around the arena that a four-lane load may touch. */
export const MARGIN_ELEMENTS = 4;
export const MAX_PAGES = 65536;
export const PAGE_BYTES = 65536;

/** Words of the block: extents x y z, then base and strides x y z of the output, then the load limit. */
const HEADER_WORDS = 8;
const ARRAY_WORDS = 4;
const LIMIT_WORD = 7;

interface Variant {
  /** Runs rows of planes `zBegin ≤ z < zEnd` with what stands in the parameter block. */
  readonly run: (zBegin: number, zEnd: number) => void;
}

interface Translation {
  readonly node: StridedWebasmNode;
  readonly argumentNames: readonly string[];
  readonly variants: Map<string, WebAssembly.Module>;
}

const translations = new WeakMap<Kernel, Translation>();

/** Runs kernels as WebAssembly over one memory. */
export class WebasmExecutor {
  readonly #memory: WebAssembly.Memory;
  readonly #variants = new WeakMap<Kernel, Map<string, Variant>>();

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  /** Views are in elements from the start of the memory. */
  run(kernel: Kernel, out: View3, arrays: readonly View3[], scalars: readonly number[]): void {
    this.#writeParameters(kernel, out, arrays, scalars);
    this.#variant(kernel, out, arrays).run(0, out.extents[0]);
  }

  #writeParameters(kernel: Kernel, out: View3, arrays: readonly View3[], scalars: readonly number[]): void {
    const words = blockWords(kernel);
    const block = new DataView(this.#memory.buffer, PARAMETER_BLOCK.address, words * 4);
    let at = 0;
    const put = (value: number): void => {
      block.setInt32(at, value, true);
      at += 4;
    };
    put(out.extents[2]);
    put(out.extents[1]);
    put(out.extents[0]);
    put(out.base);
    put(out.strides[2]);
    put(out.strides[1]);
    put(out.strides[0]);
    put(this.#memory.buffer.byteLength / 4 - MARGIN_ELEMENTS);
    for (const view of arrays) {
      put(view.base);
      for (const stride of view.strides) put(stride);
    }
    kernel.scalars.forEach((type, i) => {
      const value = scalars[i] as number;
      if (type === 'Integer') block.setInt32(at, value, true);
      else block.setFloat32(at, value, true);
      at += 4;
    });
  }

  #variant(kernel: Kernel, out: View3, arrays: readonly View3[]): Variant {
    let variants = this.#variants.get(kernel);
    if (!variants) this.#variants.set(kernel, (variants = new Map()));
    const classes = arrays.map(classesOf);
    const simd = out.strides[2] === 1 || out.extents[2] === 1;
    const key = `${simd ? 'simd' : 'scalar'} ${classes.map((c) => c.join('')).join(' ')}`;
    let variant = variants.get(key);
    if (!variant) {
      const module = moduleFor(kernel, key, classes, simd);
      const imports: Record<string, WebAssembly.ImportValue> = { memory: this.#memory };
      for (const { name, kind } of WebAssembly.Module.imports(module)) {
        if (kind === 'function') imports[name] = importedMath(name);
      }
      const { exports } = new WebAssembly.Instance(module, { env: imports });
      variant = { run: exports.run as Variant['run'] };
      variants.set(key, variant);
    }
    return variant;
  }
}

const blockWords = (kernel: Kernel): number =>
  HEADER_WORDS + ARRAY_WORDS * kernel.arrays + kernel.scalars.length;

const addressOf = (word: number): number => PARAMETER_BLOCK.address + word * 4;

const classOf = (stride: number): StrideClass => (stride === 0 || stride === 1 ? stride : 'n');
const classesOf = ({ strides: [z, y, x] }: View3): StridedArray['classes'] => [
  classOf(z),
  classOf(y),
  classOf(x),
];

function translate(kernel: Kernel): Translation {
  let translation = translations.get(kernel);
  if (!translation) {
    const gpuKernel = prepare(kernel);
    const builder = FunctionBuilder.fromKernel(gpuKernel, StridedWebasmNode);
    builder.traceFunctionCalls('kernel', []);
    gpuKernel.returnType ??= builder.getKernelResultType();
    const node = builder.functionMap.kernel;
    invariant(node, () => `gpu.js made no function of kernel ${kernel.name}`);
    translation = { node, argumentNames: gpuKernel.argumentNames, variants: new Map() };
    translations.set(kernel, translation);
  }
  return translation;
}

/** The compiled module of a kernel for given stride classes, made once per process. */
function moduleFor(
  kernel: Kernel,
  key: string,
  classes: readonly StridedArray['classes'][],
  simd: boolean,
): WebAssembly.Module {
  return translating(kernel, () => {
    const translation = translate(kernel);
    let module = translation.variants.get(key);
    if (!module) {
      module = new WebAssembly.Module(assemble(kernel, translation, classes, simd));
      translation.variants.set(key, module);
    }
    return module;
  });
}

function assemble(
  kernel: Kernel,
  { node, argumentNames }: Translation,
  classes: readonly StridedArray['classes'][],
  simd: boolean,
): Uint8Array<ArrayBuffer> {
  const words = blockWords(kernel);
  invariant(
    PARAMETER_BLOCK.address + words * 4 <= PARAMETER_BLOCK.end,
    () => `kernel ${kernel.name} has too many arguments`,
  );
  const module = new WasmModuleBuilder();
  module.addMemoryImport(1, MAX_PAGES);
  addMath(module, node.usedMathImports);
  const global = (): number => module.addGlobal('i32', true, 0);
  const globals = { threadX: global(), threadY: global(), threadZ: global(), dataIndex: global() };
  const header = Array.from({ length: HEADER_WORDS }, global);
  const functions = new KernelLocals(module);
  const thread = {
    x: functions.fromGlobal(globals.threadX),
    y: functions.fromGlobal(globals.threadY),
    z: functions.fromGlobal(globals.threadZ),
  };
  const limit = functions.fromBlock('i32', LIMIT_WORD);
  const arrays = argumentNames.slice(0, kernel.arrays).map((name, i): [string, StridedArray] => {
    const at = HEADER_WORDS + ARRAY_WORDS * i;
    const arrayClasses = classes[i] as StridedArray['classes'];
    const stride = (axis: 0 | 1 | 2): number =>
      arrayClasses[axis] === 'n' ? functions.fromBlock('i32', at + 1 + axis) : -1;
    return [
      name,
      {
        base: functions.fromBlock('i32', at),
        strides: [stride(0), stride(1), stride(2)],
        classes: arrayClasses,
      },
    ];
  });
  const scalars = argumentNames.slice(kernel.arrays).map((name, i) => {
    const word = words - kernel.scalars.length + i;
    const type = kernel.scalars[i] === 'Integer' ? ('i32' as const) : ('f32' as const);
    return [name, { local: functions.fromBlock(type, word), type, offset: addressOf(word) }] as const;
  });
  const assembler: Assembler = {
    module: functions,
    layout: {
      arrays: Object.fromEntries(arrays),
      scalars: Object.fromEntries(scalars),
      outputOffset: 0,
      limit,
      thread,
    },
    globals,
    helperInfo: null,
  };
  node.emitFunction(assembler);
  if (simd) node.emitVectorFunction(assembler);
  const run = module.addFunction('run', { params: ['i32', 'i32'] });
  emitRun(run, header, globals, simd);
  module.exportFunction('run');
  return module.toBytes();
}

/** Functions of a kernel, each starting with the same locals: what its thread may read but not change. */
class KernelLocals {
  readonly #module: WasmModuleBuilder;
  readonly #loads: { type: ValueType; load: (em: WasmFunctionEmitter) => void }[] = [];

  constructor(module: WasmModuleBuilder) {
    this.#module = module;
  }

  fromGlobal(global: number): number {
    return this.#local('i32', (em) => em.globalGet(global));
  }

  fromBlock(type: 'i32' | 'f32', word: number): number {
    return this.#local(type, (em) => {
      em.i32Const(0);
      if (type === 'i32') em.i32Load(addressOf(word));
      else em.f32Load(addressOf(word));
    });
  }

  addFunction(name: string, signature: { params?: ValueType[]; results?: ValueType[] }): WasmFunctionEmitter {
    const em = this.#module.addFunction(name, signature);
    for (const { type, load } of this.#loads) {
      const local = em.addLocal(type);
      load(em);
      em.localSet(local);
    }
    return em;
  }

  #local(type: ValueType, load: (em: WasmFunctionEmitter) => void): number {
    this.#loads.push({ type, load });
    return this.#loads.length - 1;
  }
}

/** The loop nest over z, y, x: four lanes at a time where the output is contiguous, then one at a time. */
function emitRun(
  em: WasmFunctionEmitter,
  block: readonly number[],
  globals: { threadX: number; threadY: number; threadZ: number; dataIndex: number },
  simd: boolean,
): void {
  block.forEach((global, word) => {
    em.i32Const(0).i32Load(addressOf(word)).globalSet(global);
  });
  const [extentX, extentY, , base, strideX, strideY, strideZ] = block as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const zEnd = 1;
  const z = em.addLocal('i32');
  const y = em.addLocal('i32');
  const x = em.addLocal('i32');
  const at = em.addLocal('i32');
  const loop = (exit: () => void, body: () => void): void => {
    em.block().loop();
    exit();
    em.brIf(1);
    body();
    em.br(0).end().end();
  };
  const cells = (name: string, count: number, step: () => void): void =>
    loop(
      () => em.globalGet(extentX).localGet(x).i32Const(count).i32Add().i32LtS(),
      () => {
        em.localGet(x).globalSet(globals.threadX);
        em.localGet(at).globalSet(globals.dataIndex);
        em.call(name);
        em.localGet(x).i32Const(count).i32Add().localSet(x);
        step();
      },
    );
  em.localGet(0).localSet(z);
  loop(
    () => em.localGet(z).localGet(zEnd).i32GeS(),
    () => {
      em.localGet(z).globalSet(globals.threadZ);
      em.i32Const(0).localSet(y);
      loop(
        () => em.localGet(y).globalGet(extentY).i32GeS(),
        () => {
          em.localGet(y).globalSet(globals.threadY);
          em.globalGet(base).localGet(z).globalGet(strideZ).i32Mul().i32Add();
          em.localGet(y).globalGet(strideY).i32Mul().i32Add().localSet(at);
          em.i32Const(0).localSet(x);
          if (simd) cells('kernel_simd', 4, () => em.localGet(at).i32Const(4).i32Add().localSet(at));
          cells('kernel', 1, () => em.localGet(at).globalGet(strideX).i32Add().localSet(at));
          em.localGet(y).i32Const(1).i32Add().localSet(y);
        },
      );
      em.localGet(z).i32Const(1).i32Add().localSet(z);
    },
  );
}
