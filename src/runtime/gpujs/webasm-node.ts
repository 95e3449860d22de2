import type { Ast } from 'gpu.js/src/backend/function-node.js';
import { WebAssemblyFunctionNode } from 'gpu.js/src/backend/web-assembly/function-node.js';
import type { ValueType, WasmFunctionEmitter } from 'gpu.js/src/backend/web-assembly/wasm-builder.js';
import { restoreNumbers } from './restore-numbers.ts';
import { makeNamesUnique } from './unique-names.ts';
import { vectorMath } from './webasm-math.ts';

/** What is known of a stride when a module is compiled: 0 and 1 need no multiplication, `n` is read at run time. */
export type StrideClass = 0 | 1 | 'n';

/** Where the emitted code finds an array: wasm locals with its first element and its strides. */
export interface StridedArray {
  readonly base: number;
  readonly strides: readonly [z: number, y: number, x: number];
  readonly classes: readonly [z: StrideClass, y: StrideClass, x: StrideClass];
}

/** What gpu.js's emitter gets to know of the module around it. */
export interface Assembler {
  /** Receives the functions; loads the locals named below at their start. */
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
    /** Local with the highest element index at which four elements can be loaded. */
    readonly limit: number;
    /** Locals with the thread's coordinates. */
    readonly thread: Readonly<Record<string, number>>;
  };
  readonly globals: { readonly threadX: number; readonly dataIndex: number };
  readonly helperInfo: null;
}

interface Subscript {
  readonly ast: Ast;
  readonly stride: number;
  readonly class: StrideClass;
}

const field = (ast: Ast, name: string): Ast => ast[name] as Ast;

/** `this.thread.x` */
const isLane = (ast: Ast): boolean =>
  ast.type === 'MemberExpression' &&
  ast.computed !== true &&
  field(ast, 'property').name === 'x' &&
  field(ast, 'object').type === 'MemberExpression' &&
  field(field(ast, 'object'), 'property').name === 'thread' &&
  field(field(ast, 'object'), 'object').type === 'ThisExpression';

/**
 * gpu.js's WebAssembly emitter with strided array reads, and with everything that a thread cannot change in locals, which
 * engines keep in registers and move out of loops. Four lanes whose index along a unit stride is `this.thread.x`
 * plus something uniform become one 128-bit load.
 */
export class StridedWebasmNode extends WebAssemblyFunctionNode {
  declare assembler: Assembler | null;

  override traceFunctionAST(ast: Ast): void {
    makeNamesUnique(ast);
    restoreNumbers(ast);
    super.traceFunctionAST(ast);
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
    this.em.localGet(this.#layout().thread[name] as number);
    return 'i32';
  }

  override vexprMember(ast: Ast): string {
    const { signature } = this.getMemberExpressionDetails(ast);
    if (signature !== 'this.thread.value') return super.vexprMember(ast);
    this.em.localGet(this.#layout().thread.x as number).i32x4Splat();
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
    this.em.f32Load(0);
    return 'f32';
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
        em.v128Load(0, 2);
      } else {
        this.#loadStrided(name, subscripts, only.stride);
      }
    } else {
      this.#loadScattered(name, subscripts);
    }
    return 'vf32';
  }

  override vLaneCall1(name: string, lanes: number): void {
    const vector = vectorMath(name);
    if (vector === undefined) super.vLaneCall1(name, lanes);
    else this.em.localGet(lanes).call(vector);
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
    this.#element(name, subscripts);
    this.#clampWhenMasked();
    this.em.i32Const(2).i32Shl();
  }

  #element(name: string, subscripts: readonly Subscript[]): void {
    const em = this.em;
    em.localGet(this.#array(name).base);
    for (const subscript of subscripts) {
      this.emitIndex(subscript.ast);
      if (subscript.class === 'n') em.localGet(subscript.stride).i32Mul();
      em.i32Add();
    }
  }

  #loadStrided(name: string, subscripts: readonly Subscript[], stride: number): void {
    const em = this.em;
    const element = em.addLocal('i32');
    this.#element(name, subscripts);
    em.localSet(element);
    for (let lane = 0; lane < 4; lane++) {
      em.localGet(element);
      this.#clampWhenMasked();
      em.i32Const(2).i32Shl().f32Load(0);
      if (lane === 0) em.f32x4Splat();
      else em.f32x4ReplaceLane(lane);
      if (lane < 3) em.localGet(element).localGet(stride).i32Add().localSet(element);
    }
  }

  #loadScattered(name: string, subscripts: readonly Subscript[]): void {
    const em = this.em;
    const isVarying = ({ ast }: Subscript): boolean => this.vInfo.exprVarying(ast);
    this.#element(
      name,
      subscripts.filter((subscript) => !isVarying(subscript)),
    );
    em.i32x4Splat();
    for (const subscript of subscripts.filter(isVarying)) {
      this.vEmitIndex(subscript.ast);
      if (subscript.class === 'n') em.localGet(subscript.stride).i32x4Splat().i32x4Mul();
      em.i32x4Add();
    }
    em.localGet(this.#layout().limit).i32x4Splat().i32x4MinU();
    const elements = em.addLocal('v128');
    em.localSet(elements);
    for (let lane = 0; lane < 4; lane++) {
      em.localGet(elements).i32x4ExtractLane(lane).i32Const(2).i32Shl().f32Load(0);
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
    const element = em.addLocal('i32');
    em.localTee(element).localGet(limit).localGet(element).localGet(limit).i32LtU().select();
  }

  #isLanePlusUniform(ast: Ast): boolean {
    if (isLane(ast)) return true;
    if (ast.type !== 'BinaryExpression') return false;
    const left = field(ast, 'left');
    const right = field(ast, 'right');
    const leftVaries = this.vInfo.exprVarying(left);
    const rightVaries = this.vInfo.exprVarying(right);
    if (leftVaries === rightVaries) return false;
    if (ast.operator === '+') return this.#isLanePlusUniform(leftVaries ? left : right);
    return ast.operator === '-' && leftVaries && this.#isLanePlusUniform(left);
  }
}
