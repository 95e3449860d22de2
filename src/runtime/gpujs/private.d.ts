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
