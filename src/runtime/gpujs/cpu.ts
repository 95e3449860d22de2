import { CPUFunctionNode } from 'gpu.js/src/backend/cpu/function-node.js';
import { FunctionBuilder } from 'gpu.js/src/backend/function-builder.js';
import type { Ast } from 'gpu.js/src/backend/function-node.js';
import type { Kernel } from '../kernel.ts';
import type { View3 } from '../view3.ts';
import { restoreNumbers } from './restore-numbers.ts';
import { LOOP_MAX_ITERATIONS, prepare, translating } from './translate.ts';
import { makeNamesUnique } from './unique-names.ts';

/** A view over JavaScript memory. */
export interface ArrayView extends View3 {
  readonly data: Float32Array;
}

/** Runs a kernel over every element of `out`. */
export type CpuProgram = (out: ArrayView, arrays: readonly ArrayView[], scalars: readonly number[]) => void;

/**
 * Thread coordinates are locals of our loop nest; subscripts become one strided index; loops are emitted as written,
 * with no iteration cap.
 */
class StridedNode extends CPUFunctionNode {
  override traceFunctionAST(ast: Ast): void {
    makeNamesUnique(ast);
    restoreNumbers(ast);
    super.traceFunctionAST(ast);
  }

  override isSafe(): boolean {
    return true;
  }

  override astMemberExpression(ast: Ast, into: string[]): string[] {
    const { signature, name, origin, xProperty, yProperty, zProperty } = this.getMemberExpressionDetails(ast);
    if (signature === 'this.thread.value') {
      into.push(`thread_${name}`);
      return into;
    }
    if (signature !== 'value[][][]' || origin !== 'user' || !xProperty || !yProperty || !zProperty) {
      return super.astMemberExpression(ast, into);
    }
    const z = this.#text(zProperty);
    const y = this.#text(yProperty);
    const x = this.#text(xProperty);
    const zKnown = z === '0' || z === 'thread_z';
    const yKnown = y === '0' || y === 'thread_y';
    const row = `row_${name}${z === 'thread_z' ? '_z' : ''}${y === 'thread_y' ? '_y' : ''}`;
    const start = zKnown && yKnown ? row : `base_${name} + (${z}) * z_${name} + (${y}) * y_${name}`;
    into.push(x === '0' ? `data_${name}[${start}]` : `data_${name}[${start} + (${x}) * x_${name}]`);
    return into;
  }

  #text(ast: Ast): string {
    return this.astGeneric(ast, []).join('');
  }
}

const programs = new WeakMap<Kernel, CpuProgram>();

/** The JavaScript program of a kernel: gpu.js's translation of its body inside a strided loop nest. */
export function compileForCpu(kernel: Kernel): CpuProgram {
  let program = programs.get(kernel);
  if (!program) {
    const run = new Function(`return ${sourceForCpu(kernel)};`)() as CpuProgram;
    // JavaScript finds names that do not exist only when it runs.
    program = (out, arrays, scalars) => translating(kernel, () => run(out, arrays, scalars));
    programs.set(kernel, program);
  }
  return program;
}

/** The text of {@link compileForCpu}. */
export function sourceForCpu(kernel: Kernel): string {
  return translating(kernel, () => {
    const gpuKernel = prepare(kernel);
    gpuKernel.leadingReturnStatement = 'out.data[at] = ';
    gpuKernel.followingReturnStatement = '';
    const body = FunctionBuilder.fromKernel(gpuKernel, StridedNode).getPrototypes('kernel').join('\n');
    const names = gpuKernel.argumentNames;
    const arrays = names.slice(0, kernel.arrays);
    const scalars = names.slice(kernel.arrays);
    const used = (variable: string): boolean => new RegExp(`\\b${variable}\\b`).test(body);
    const lines = (all: string[]): string => all.join('\n');
    return `function (out, arrays, scalars) {
const LOOP_MAX = ${LOOP_MAX_ITERATIONS};
${lines(
  arrays.map(
    (name, i) =>
      `const { data: data_${name}, base: base_${name}, strides: [z_${name}, y_${name}, x_${name}] } = arrays[${i}];`,
  ),
)}
${lines(scalars.map((name, i) => `const user_${name} = scalars[${i}];`))}
const [extent_z, extent_y, extent_x] = out.extents;
const [out_z, out_y, out_x] = out.strides;
for (let thread_z = 0; thread_z < extent_z; thread_z++) {
for (let thread_y = 0; thread_y < extent_y; thread_y++) {
${lines(
  arrays.flatMap((name) =>
    [
      [`row_${name}`, `base_${name}`],
      [`row_${name}_z`, `base_${name} + thread_z * z_${name}`],
      [`row_${name}_y`, `base_${name} + thread_y * y_${name}`],
      [`row_${name}_z_y`, `base_${name} + thread_z * z_${name} + thread_y * y_${name}`],
    ]
      .filter(([row]) => used(row as string))
      .map(([row, start]) => `const ${row} = ${start};`),
  ),
)}
let at = out.base + thread_z * out_z + thread_y * out_y;
for (let thread_x = 0; thread_x < extent_x; thread_x++, at += out_x) {
${body}
}
}
}
}`;
  });
}
