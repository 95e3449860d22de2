import { FunctionBuilder } from 'gpu.js/src/backend/function-builder.js';
import type { Ast } from 'gpu.js/src/backend/function-node.js';
import { WGSLFunctionNode } from 'gpu.js/src/backend/web-gpu/function-node.js';
import { WebGPUKernel } from 'gpu.js/src/backend/web-gpu/kernel.js';
import { invariant } from '../../errors.ts';
import type { Kernel } from '../kernel.ts';
import { restoreNumbers } from './restore-numbers.ts';
import { kernelSettings, setUp, translating } from './translate.ts';
import { makeNamesUnique } from './unique-names.ts';

/** A compute shader whose arrays and output are strided views, with the byte offsets of its uniform block. */
export interface WgslProgram {
  readonly code: string;
  /** Bytes of the uniform block. */
  readonly uniformBytes: number;
  /** Of u32 extents x, y, z of the output. */
  readonly extentsAt: 0;
  /** Per array: i32 strides x, y, z and base, in elements. */
  readonly arraysAt: readonly number[];
  readonly scalarsAt: readonly number[];
  /** i32 strides x, y, z and base of the output, then u32 coordinates x, y, z of the first thread. */
  readonly outputAt: number;
}

/** Loops are emitted as written, with no iteration cap. */
class UncappedWgslNode extends WGSLFunctionNode {
  override traceFunctionAST(ast: Ast): void {
    makeNamesUnique(ast);
    restoreNumbers(ast);
    super.traceFunctionAST(ast);
  }

  override isSafe(): boolean {
    return true;
  }
}

const programs = new WeakMap<Kernel, Map<string, WgslProgram>>();

/**
 * Translates a kernel to WGSL and gives its accesses strides. Workgroup sizes are the pipeline constants `groupX` and
 * `groupY`. Bindings of group 0: the uniform block, the arrays in order, the output. Arrays that the output is written over
 * (`inPlace`: their positions) are read through the binding of the output and have none: a buffer cannot be bound to be
 * read only and to be written.
 */
export function compileForWebgpu(kernel: Kernel, inPlace: readonly number[] = []): WgslProgram {
  let variants = programs.get(kernel);
  if (!variants) programs.set(kernel, (variants = new Map()));
  let program = variants.get(inPlace.join());
  if (!program) {
    program = translating(kernel, () => translate(kernel, inPlace));
    variants.set(inPlace.join(), program);
  }
  return program;
}

function translate(kernel: Kernel, inPlace: readonly number[]): WgslProgram {
  const gpuKernel = new WebGPUKernel(kernel.source.toString(), kernelSettings(kernel, 'WebGPUBuffer'));
  setUp(gpuKernel, kernel, { type: 'WebGPUBuffer', output: [1] });
  const builder = FunctionBuilder.fromKernel(gpuKernel, UncappedWgslNode);
  const functions = builder.getPrototypes('kernel');
  gpuKernel.translatedBody = functions.at(-1) as string;
  gpuKernel.translatedFunctions = functions.slice(0, -1).join('\n');
  gpuKernel.returnType ??= builder.getKernelResultType();
  gpuKernel.paramsLayout = gpuKernel.computeParamsLayout();
  const { arrayArgs, scalarArgs } = gpuKernel.paramsLayout;
  const outputAt = 16 + 16 * arrayArgs.length + 4 * scalarArgs.length;
  return {
    code: giveStrides(
      gpuKernel.assembleWGSL(),
      arrayArgs.map(({ name }) => name),
      inPlace,
    ),
    uniformBytes: Math.ceil((outputAt + 28) / 16) * 16,
    extentsAt: 0,
    arraysAt: arrayArgs.map(({ dimsOffset }) => dimsOffset),
    scalarsAt: scalarArgs.map(({ offset }) => offset),
    outputAt,
  };
}

const FROUND = 'fn fround(x : f32) -> f32 {\n  return x;\n}';
/**
 * Compilers of shaders may compute a product and the sum it goes into with one rounding. Not through this: extents are
 * below 2^31, so that nothing is added to the bits, but no compiler knows.
 */
const ROUNDED = `fn fround(x : f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) ^ (params.outputX >> 31u));
}`;

/** Replaces gpu.js's packed row-major indexing by strides from the uniform block. */
function giveStrides(wgsl: string, arrays: readonly string[], inPlace: readonly number[]): string {
  let code = wgsl;
  const edit = (from: string, to: string): void => {
    const parts = code.split(from);
    invariant(parts.length === 2, () => `gpu.js's WGSL does not contain once: ${from}`);
    code = parts.join(to);
  };
  for (const [i, name] of arrays.entries()) {
    const view = `params.user_${name}_dims`;
    const overwritten = inPlace.includes(i);
    edit(`user_${name}_dims : vec4<u32>`, `user_${name}_dims : vec4<i32>`);
    edit(
      `user_${name}[u32(x + i32(${view}.x) * (y + i32(${view}.y) * z))]`,
      `${overwritten ? 'result' : `user_${name}`}[u32(${view}.w + x * ${view}.x + y * ${view}.y + z * ${view}.z)]`,
    );
    if (overwritten) edit(`@group(0) @binding(${i + 1}) var<storage, read> user_${name} : array<f32>;\n`, '');
  }
  edit(
    '\n}\n@group(0) @binding(0)',
    '\n  outputStrideX : i32,\n  outputStrideY : i32,\n  outputStrideZ : i32,\n  outputBase : i32,\n' +
      '  originX : u32,\n  originY : u32,\n  originZ : u32,\n}\n@group(0) @binding(0)',
  );
  edit(
    'i32(gid.x + params.outputX * (gid.y + params.outputY * gid.z))',
    'params.outputBase + i32(gid.x) * params.outputStrideX + i32(gid.y) * params.outputStrideY + ' +
      'i32(gid.z) * params.outputStrideZ',
  );
  edit(
    '(@builtin(global_invocation_id) gid : vec3<u32>) {',
    '(@builtin(global_invocation_id) id : vec3<u32>) {\n' +
      '  let gid = id + vec3<u32>(params.originX, params.originY, params.originZ);',
  );
  edit('@workgroup_size(8, 8, 1)', '@workgroup_size(groupX, groupY, 1)');
  if (code.includes(FROUND)) edit(FROUND, ROUNDED);
  return `override groupX : u32 = 8;\noverride groupY : u32 = 8;\n${code}`;
}
