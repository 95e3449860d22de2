import { CPUFunctionNode } from 'gpu.js/src/backend/cpu/function-node.js';
import { FunctionBuilder } from 'gpu.js/src/backend/function-builder.js';
import type { Ast } from 'gpu.js/src/backend/function-node.js';
import { invariant } from '../../errors.ts';
import type { Kernel } from '../kernel.ts';
import { prepare, translating } from './translate.ts';
import { makeNamesUnique } from './unique-names.ts';

/** Parses a kernel and goes no further. */
class ParsedNode extends CPUFunctionNode {
  override traceFunctionAST(ast: Ast): void {
    makeNamesUnique(ast);
  }
}

/** The function expression of a kernel, with no two variables of one name. */
export const parsedKernel = (kernel: Kernel): Ast =>
  translating(kernel, () => {
    const { kernel: node } = FunctionBuilder.fromKernel(prepare(kernel), ParsedNode).functionMap;
    invariant(node, () => `gpu.js made no function of kernel ${kernel.name}`);
    return node.getJsAST();
  });
