/** The private parts of gpu.js 2.24.1 that this folder drives. Written from its sources; see version.ts. */

declare module 'gpu.js/src/input.js' {
  export class Input {
    constructor(value: ArrayLike<number>, size: readonly number[]);
  }
}

declare module 'gpu.js/src/backend/kernel.js' {
  export interface KernelSettings {
    output: number[];
    argumentTypes: string[];
    loopMaxIterations: number;
    pipeline?: boolean;
  }
  export class Kernel {
    constructor(source: string, settings: KernelSettings);
    mergeSettings(settings: KernelSettings): void;
    initCanvas(): null;
    initContext(): null;
    initPlugins(): never[];
    precision: string | null;
    argumentNames: string[];
    output: number[];
    returnType: string | null;
    leadingReturnStatement: string;
    followingReturnStatement: string;
    setupConstants(): void;
    setupArguments(args: readonly unknown[]): void;
  }
}

declare module 'gpu.js/src/backend/function-node.js' {
  /** A node of the ESTree syntax tree. */
  export interface Ast {
    readonly type: string;
    readonly [field: string]: unknown;
  }
  export interface MemberDetails {
    readonly signature: string;
    readonly name: string;
    readonly origin?: string;
    readonly xProperty?: Ast;
    readonly yProperty?: Ast;
    readonly zProperty?: Ast;
  }
  export class FunctionNode {
    constructor(source: string, settings: unknown);
    output: number[];
    getMemberExpressionDetails(ast: Ast): MemberDetails;
    astGeneric(ast: Ast, into: string[]): string[];
    getType(ast: Ast): string;
    /** What is known of the variable that an identifier names. */
    getDeclaration(identifier: Ast): { valueType: string | null } | null;
    /** Called once with the parsed function, before anything looks at it. */
    traceFunctionAST(ast: Ast): void;
    /** Parses the source; later calls give the same tree. */
    getJsAST(): Ast;
    /** Whether a loop is known to end, so that it needs no iteration counter. */
    isSafe(ast: unknown): boolean;
  }
}

declare module 'gpu.js/src/backend/function-builder.js' {
  import type { FunctionNode } from 'gpu.js/src/backend/function-node.js';
  import type { Kernel } from 'gpu.js/src/backend/kernel.js';
  export class FunctionBuilder<Node extends FunctionNode = FunctionNode> {
    static fromKernel<Node extends FunctionNode>(
      kernel: Kernel,
      node: new (source: string, settings: unknown) => Node,
    ): FunctionBuilder<Node>;
    readonly functionMap: Record<string, Node>;
    getPrototypes(name: string): string[];
    traceFunctionCalls(name: string, into: string[]): string[];
    getKernelResultType(): string;
  }
}

declare module 'gpu.js/src/backend/cpu/function-node.js' {
  import { type Ast, FunctionNode } from 'gpu.js/src/backend/function-node.js';
  export class CPUFunctionNode extends FunctionNode {
    astMemberExpression(ast: Ast, into: string[]): string[];
  }
}

declare module 'gpu.js/src/backend/web-assembly/wasm-builder.js' {
  export type ValueType = 'i32' | 'f32' | 'v128';
  /** One method per opcode, each appending it and returning the emitter. */
  export interface WasmFunctionEmitter {
    addLocal(type: ValueType): number;
    /** The code so far. */
    readonly bytes: number[];
    block(): this;
    loop(): this;
    if_(): this;
    else_(): this;
    end(): this;
    return_(): this;
    drop(): this;
    br(depth: number): this;
    brIf(depth: number): this;
    call(name: string): this;
    select(): this;
    localGet(index: number): this;
    localSet(index: number): this;
    localTee(index: number): this;
    i32Const(value: number): this;
    i32Load(offset: number): this;
    f32Load(offset: number): this;
    f32Store(offset: number): this;
    v128Load(offset: number, align: number): this;
    v128Store(offset: number, align: number): this;
    i32Add(): this;
    i32Sub(): this;
    i32Mul(): this;
    i32Shl(): this;
    i32Eq(): this;
    i32LtS(): this;
    i32GeS(): this;
    i32LtU(): this;
    v128ConstI32x4(a: number, b: number, c: number, d: number): this;
    v128ConstF32x4(a: number, b: number, c: number, d: number): this;
    v128And(): this;
    v128Andnot(): this;
    v128Or(): this;
    v128Not(): this;
    /** (a, b, mask): a where the mask is set, else b. */
    v128Bitselect(): this;
    i32x4Splat(): this;
    i32x4Add(): this;
    i32x4Sub(): this;
    i32x4Mul(): this;
    i32x4Shl(): this;
    i32x4ShrS(): this;
    i32x4MinU(): this;
    i32x4ExtractLane(lane: number): this;
    f32x4Splat(): this;
    f32x4ExtractLane(lane: number): this;
    f32x4ReplaceLane(lane: number): this;
    f32x4Abs(): this;
    f32x4Add(): this;
    f32x4Sub(): this;
    f32x4Mul(): this;
    f32x4Div(): this;
    /** (a, b): b where b < a, else a. */
    f32x4Pmin(): this;
    f32x4Eq(): this;
    f32x4Lt(): this;
    f32x4Ge(): this;
    f32x4ConvertI32x4S(): this;
  }
  export class WasmModuleBuilder {
    addMemoryImport(initial: number, maximum: number, shared?: boolean): this;
    addFuncImport(name: string, params: ValueType[], results: ValueType[]): number;
    addFunction(
      name: string,
      signature: { params?: ValueType[]; results?: ValueType[]; locals?: ValueType[] },
    ): WasmFunctionEmitter;
    exportFunction(name: string): this;
    toBytes(): Uint8Array<ArrayBuffer>;
  }
}

declare module 'gpu.js/src/backend/web-assembly/function-node.js' {
  import { type Ast, FunctionNode } from 'gpu.js/src/backend/function-node.js';
  import type { ValueType, WasmFunctionEmitter } from 'gpu.js/src/backend/web-assembly/wasm-builder.js';
  export class WebAssemblyFunctionNode extends FunctionNode {
    /** Absent during the analysis pass, which emits into the void. */
    assembler: unknown;
    em: WasmFunctionEmitter;
    readonly usedMathImports: ReadonlySet<string>;
    /** Variables of the kernel by name. */
    locals: ReadonlyMap<string, unknown>;
    exprMember(ast: Ast): string;
    exprIdentifier(ast: Ast): string;
    vexprMember(ast: Ast): string;
    /** True while the four-lane function is emitted. */
    vec: boolean;
    /** Depth of lane masks around the current position. */
    vMaskDepth: number;
    /** Local of the mask of lanes that returned early; -1 when none can. */
    vRetMask: number;
    /** Local of the mask of lanes that are on. */
    vCur: number;
    vInfo: { exprVarying(ast: Ast): boolean };
    /** Blocks open around the current position. */
    depth: number;
    emitFunction(assembler: unknown): WasmFunctionEmitter;
    emitVectorFunction(assembler: unknown): WasmFunctionEmitter;
    stmtVariableDeclaration(ast: Ast): void;
    setScalarLocal(name: string, type: ValueType, gpujsType: string, initialise: () => void): void;
    stmtReturn(ast: Ast): void;
    vstmtReturn(ast: Ast): void;
    emitArrayElement(element: Ast): void;
    vEmitArrayElement(element: Ast): void;
    /** Pushes the byte address of the result of the one-lane function. */
    emitComponentAddress(dataIndex: unknown, count: number, component: number): void;
    /** Stores locals of four lanes each. */
    vStoreOutput(values: readonly number[]): void;
    vRetireOrReturn(): void;
    vCoerce(from: string, to: string): string;
    emitIndex(ast: Ast): void;
    vEmitIndex(ast: Ast): void;
    emitFlatLoad(
      table: string,
      name: string,
      x: Ast,
      y: Ast | undefined,
      z: Ast | undefined,
      at: Ast,
    ): string;
    vGather(table: string, name: string, x: Ast, y: Ast | undefined, z: Ast | undefined, at: Ast): string;
    /** Calls a function of one number for each lane of a local. */
    vLaneCall1(name: string, lanes: number): void;
  }
}

declare module 'gpu.js/src/backend/web-gpu/kernel.js' {
  import { Kernel, type KernelSettings } from 'gpu.js/src/backend/kernel.js';
  export interface ParamsLayout {
    readonly arrayArgs: readonly { readonly name: string; readonly dimsOffset: number }[];
    readonly scalarArgs: readonly { readonly name: string; readonly offset: number }[];
  }
  export class WebGPUKernel extends Kernel {
    constructor(source: string, settings: KernelSettings);
    translatedBody: string;
    translatedFunctions: string;
    paramsLayout: ParamsLayout;
    computeParamsLayout(): ParamsLayout;
    assembleWGSL(): string;
  }
}

declare module 'gpu.js/src/backend/web-gpu/function-node.js' {
  import { FunctionNode } from 'gpu.js/src/backend/function-node.js';
  export class WGSLFunctionNode extends FunctionNode {}
}
