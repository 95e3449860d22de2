import type { Ast } from 'gpu.js/src/backend/function-node.js';
import { WebAssemblyFunctionNode } from 'gpu.js/src/backend/web-assembly/function-node.js';
import type { ValueType, WasmFunctionEmitter } from 'gpu.js/src/backend/web-assembly/wasm-builder.js';
import { partOf } from './ast.ts';
import { integerCounters } from './integer-counters.ts';
import { loadSplat } from './load-splat.ts';
import { restoreNumbers } from './restore-numbers.ts';
import { canTileRows, tileRows } from './tile-rows.ts';
import { makeNamesUnique } from './unique-names.ts';
import { emitVectorMath } from './webasm-math.ts';

/** What is known of a stride when a module is compiled: 0 and 1 need no multiplication, `n` is read at run time. */
export type StrideClass = 0 | 1 | 'n';

/** Where the emitted code finds an array: wasm locals with the address of its first element and its strides, in bytes. */
export interface StridedArray {
  readonly base: number;
  readonly strides: readonly [z: number, y: number, x: number];
  readonly classes: readonly [z: StrideClass, y: StrideClass, x: StrideClass];
}

/** What gpu.js's emitter gets to know of the module around it. */
export interface Assembler {
  /** Receives the functions; sets the locals named below at their start. */
  readonly module: {
    addFunction(
      name: string,
      signature: { params?: ValueType[]; results?: ValueType[] },
    ): WasmFunctionEmitter;
  };
  readonly layout: {
    readonly arrays: Readonly<Record<string, StridedArray>>;
    /** By scalar argument: its local, and its byte address in the parameter block. */
    readonly scalars: Readonly<Record<string, { local: number; type: 'i32' | 'f32'; offset: number }>>;
    readonly outputOffset: 0;
    /** Local with the byte address of the result, and local with the distance between rows of results. */
    readonly result: number;
    readonly resultRow: number;
    /** Local with the highest address at which four elements can be loaded. */
    readonly limit: number;
    /** Locals with the thread's coordinates. */
    readonly thread: { readonly x: number; readonly y: number; readonly z: number };
  };
  readonly globals: Readonly<Record<string, never>>;
  readonly helperInfo: null;
}

/** log2 of the bytes of an element. */
const ELEMENT_SHIFT = 2;

interface Subscript {
  readonly ast: Ast;
  readonly stride: number;
  readonly class: StrideClass;
}

/** `this.thread.x` */
const isLane = (ast: Ast): boolean =>
  ast.type === 'MemberExpression' &&
  ast.computed !== true &&
  partOf(ast, 'property').name === 'x' &&
  partOf(ast, 'object').type === 'MemberExpression' &&
  partOf(partOf(ast, 'object'), 'property').name === 'thread' &&
  partOf(partOf(ast, 'object'), 'object').type === 'ThisExpression';

/**
 * gpu.js's WebAssembly emitter with strided array reads, and with everything that a thread cannot change in locals, which
 * engines keep in registers and move out of loops. Four lanes whose index along a unit stride is `this.thread.x`
 * plus something uniform become one 128-bit load.
 */
export class StridedWebasmNode extends WebAssemblyFunctionNode {
  declare assembler: Assembler | null;
  /** Whether {@link TILES} take this kernel too; known once it is parsed. */
  tileable = false;

  /** Where the last `f32.load` stands. */
  #load: { readonly em: WasmFunctionEmitter; readonly start: number; readonly end: number } | undefined;
  /** Loop counters that are integers, with their first values. */
  #counters: ReadonlyMap<string, number> = new Map();

  override traceFunctionAST(ast: Ast): void {
    this.rewrite(ast);
    super.traceFunctionAST(ast);
    this.#counters = integerCounters(ast);
  }

  /** Counters that never leave the integers are integers; gpu.js would count in floats and convert at every use. */
  override stmtVariableDeclaration(ast: Ast): void {
    for (const declarator of ast.declarations as Ast[]) {
      const id = partOf(declarator, 'id');
      const start = this.#counters.get(id.name as string);
      const declaration = this.getDeclaration(id);
      if (start === undefined || !declaration) {
        super.stmtVariableDeclaration({ ...ast, declarations: [declarator] });
      } else {
        declaration.valueType = 'Integer';
        this.setScalarLocal(id.name as string, 'i32', 'Integer', () => this.em.i32Const(start));
      }
    }
  }

  /** Changes the parsed kernel before gpu.js looks at it. */
  protected rewrite(ast: Ast): void {
    makeNamesUnique(ast);
    restoreNumbers(ast);
    this.tileable = canTileRows(ast);
  }

  override isSafe(): boolean {
    return true;
  }

  override exprIdentifier(ast: Ast): string {
    const name = ast.name as string;
    const scalar = this.assembler?.layout.scalars[name];
    if (!scalar || this.locals.has(name)) return super.exprIdentifier(ast);
    this.em.localGet(scalar.local);
    return scalar.type;
  }

  override exprMember(ast: Ast): string {
    const { signature, name } = this.getMemberExpressionDetails(ast);
    if (!this.assembler || signature !== 'this.thread.value') return super.exprMember(ast);
    this.em.localGet(this.#layout().thread[name as 'x' | 'y' | 'z']);
    return 'i32';
  }

  override vexprMember(ast: Ast): string {
    const { signature } = this.getMemberExpressionDetails(ast);
    if (signature !== 'this.thread.value') return super.vexprMember(ast);
    this.em.localGet(this.#layout().thread.x).i32x4Splat();
    this.em.v128ConstI32x4(0, 1, 2, 3).i32x4Add();
    return 'vi32';
  }

  /** A read whose index is the same in all lanes, or in the one-lane function. */
  override emitFlatLoad(_table: string, name: string, x: Ast, y?: Ast, z?: Ast): string {
    if (!this.assembler) {
      for (const ast of [x, y, z]) if (ast) this.emitIndex(ast);
      this.em.f32Load(0);
      return 'f32';
    }
    this.#address(name, this.#subscripts(name, x, y, z));
    const start = this.em.bytes.length;
    this.em.f32Load(0);
    this.#load = { em: this.em, start, end: this.em.bytes.length };
    return 'f32';
  }

  /** One element for all lanes is one instruction when it comes from memory. */
  override vCoerce(from: string, to: string): string {
    const load = this.#load;
    const isLast = load?.em === this.em && load.end === this.em.bytes.length;
    if (from !== 'f32' || to !== 'vf32' || !isLast) return super.vCoerce(from, to);
    this.em.bytes.length = load.start;
    loadSplat(this.em, 0);
    return to;
  }

  override emitComponentAddress(): void {
    this.em.localGet(this.assembler === null ? 0 : this.#layout().result);
  }

  /** One quad of lanes for every row of the tile. */
  override vStoreOutput(rows: readonly number[]): void {
    const em = this.em;
    const { result, resultRow } = this.#layout();
    const address = (row: number): void => {
      em.localGet(result);
      if (row > 0) em.localGet(resultRow).i32Const(row).i32Mul().i32Add();
    };
    const masked = this.vMaskDepth > 0 || this.vRetMask !== -1;
    rows.forEach((values, row) => {
      address(row);
      em.localGet(values);
      if (masked) {
        address(row);
        em.v128Load(0, ELEMENT_SHIFT);
        if (this.vMaskDepth > 0) em.localGet(this.vCur);
        else em.localGet(this.vRetMask).v128Not();
        em.v128Bitselect();
      }
      em.v128Store(0, ELEMENT_SHIFT);
    });
  }

  /** A read whose index differs between lanes. */
  override vGather(_table: string, name: string, x: Ast, y?: Ast, z?: Ast): string {
    const em = this.em;
    const subscripts = this.#subscripts(name, x, y, z);
    const varying = subscripts.filter(({ ast }) => this.vInfo.exprVarying(ast));
    const [only] = varying;
    if (only === undefined) {
      this.#address(name, subscripts);
      em.f32Load(0).f32x4Splat();
    } else if (varying.length === 1 && this.#isLanePlusUniform(only.ast)) {
      if (only.class === 1) {
        this.#address(name, subscripts);
        em.v128Load(0, ELEMENT_SHIFT);
      } else {
        this.#loadStrided(name, subscripts, only.stride);
      }
    } else {
      this.#loadScattered(name, subscripts);
    }
    return 'vf32';
  }

  override vLaneCall1(name: string, lanes: number): void {
    if (!emitVectorMath(this.em, name, lanes)) super.vLaneCall1(name, lanes);
  }

  #layout(): Assembler['layout'] {
    return (this.assembler as Assembler).layout;
  }

  #array(name: string): StridedArray {
    return this.#layout().arrays[name] as StridedArray;
  }

  /** The subscripts that move the address: an axis of stride 0 does not. */
  #subscripts(name: string, x: Ast, y?: Ast, z?: Ast): Subscript[] {
    const { strides, classes } = this.#array(name);
    return [z, y, x].flatMap((ast, axis) => {
      const strideClass = classes[axis] as StrideClass;
      const isZero = ast?.type === 'Literal' && ast.value === 0;
      return ast === undefined || isZero || strideClass === 0
        ? []
        : [{ ast, stride: strides[axis] as number, class: strideClass }];
    });
  }

  /** Pushes the byte address of a read; of lane 0 when a subscript varies. */
  #address(name: string, subscripts: readonly Subscript[]): void {
    this.#sum(name, subscripts);
    this.#clampWhenMasked();
  }

  #sum(name: string, subscripts: readonly Subscript[]): void {
    const em = this.em;
    em.localGet(this.#array(name).base);
    for (const subscript of subscripts) {
      this.emitIndex(subscript.ast);
      if (subscript.class === 'n') em.localGet(subscript.stride).i32Mul();
      else em.i32Const(ELEMENT_SHIFT).i32Shl();
      em.i32Add();
    }
  }

  #loadStrided(name: string, subscripts: readonly Subscript[], stride: number): void {
    const em = this.em;
    const address = em.addLocal('i32');
    this.#sum(name, subscripts);
    em.localSet(address);
    for (let lane = 0; lane < 4; lane++) {
      em.localGet(address);
      this.#clampWhenMasked();
      em.f32Load(0);
      if (lane === 0) em.f32x4Splat();
      else em.f32x4ReplaceLane(lane);
      if (lane < 3) em.localGet(address).localGet(stride).i32Add().localSet(address);
    }
  }

  #loadScattered(name: string, subscripts: readonly Subscript[]): void {
    const em = this.em;
    const isVarying = ({ ast }: Subscript): boolean => this.vInfo.exprVarying(ast);
    this.#sum(
      name,
      subscripts.filter((subscript) => !isVarying(subscript)),
    );
    em.i32x4Splat();
    for (const subscript of subscripts.filter(isVarying)) {
      this.vEmitIndex(subscript.ast);
      if (subscript.class === 'n') em.localGet(subscript.stride).i32x4Splat().i32x4Mul();
      else em.i32Const(ELEMENT_SHIFT).i32x4Shl();
      em.i32x4Add();
    }
    em.localGet(this.#layout().limit).i32x4Splat().i32x4MinU();
    const addresses = em.addLocal('v128');
    em.localSet(addresses);
    for (let lane = 0; lane < 4; lane++) {
      em.localGet(addresses).i32x4ExtractLane(lane).f32Load(0);
      if (lane === 0) em.f32x4Splat();
      else em.f32x4ReplaceLane(lane);
    }
  }

  /**
   * Lanes switched off by a branch or an early return still compute addresses, possibly wild ones: keep those inside the
   * memory. A quad with a live lane is at most three elements off, which the arena's margins allow, so its address
   * is left as it is.
   */
  #clampWhenMasked(): void {
    if (!this.vec || (this.vMaskDepth === 0 && this.vRetMask === -1)) return;
    const em = this.em;
    const { limit } = this.#layout();
    const address = em.addLocal('i32');
    em.localTee(address).localGet(limit).localGet(address).localGet(limit).i32LtU().select();
  }

  #isLanePlusUniform(ast: Ast): boolean {
    if (isLane(ast)) return true;
    if (ast.type !== 'BinaryExpression') return false;
    const left = partOf(ast, 'left');
    const right = partOf(ast, 'right');
    const leftVaries = this.vInfo.exprVarying(left);
    const rightVaries = this.vInfo.exprVarying(right);
    if (leftVaries === rightVaries) return false;
    if (ast.operator === '+') return this.#isLanePlusUniform(leftVaries ? left : right);
    return ast.operator === '-' && leftVaries && this.#isLanePlusUniform(left);
  }
}

/** A kernel rewritten to compute several rows at once, four lanes each; it has no one-lane function. */
export abstract class TiledWebasmNode extends StridedWebasmNode {
  abstract readonly rows: number;

  protected override rewrite(ast: Ast): void {
    super.rewrite(ast);
    tileRows(ast, this.rows);
  }

  override stmtReturn(ast: Ast): void {
    for (const element of partOf(ast, 'argument').elements as Ast[]) {
      this.emitArrayElement(element);
      this.em.drop();
    }
  }

  override vstmtReturn(ast: Ast): void {
    const rows = (partOf(ast, 'argument').elements as Ast[]).map((element) => {
      const local = this.em.addLocal('v128');
      this.vEmitArrayElement(element);
      this.em.localSet(local);
      return local;
    });
    this.vStoreOutput(rows);
    this.vRetireOrReturn();
  }
}

/** Tiles in the order in which rows are given to them: eight sums and what they need fill the vector registers. */
export const TILES: readonly (new (source: string, settings: unknown) => TiledWebasmNode)[] = [
  class extends TiledWebasmNode {
    override readonly rows = 8;
  },
  class extends TiledWebasmNode {
    override readonly rows = 4;
  },
  class extends TiledWebasmNode {
    override readonly rows = 2;
  },
];
