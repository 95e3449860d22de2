import { setFlagsFromString } from 'node:v8';
import { UserError } from '../errors.ts';
import type { OpenOptions } from '../runtime/index.ts';
import { parseBackend, parseCount } from './options.ts';

/** The options of commands that open a device. */
export interface DeviceFlags {
  readonly backend: string;
  readonly kernels: string;
  readonly threads?: string;
}

export const BACKEND_OPTION = ['--backend <name>', 'webgpu, webasm, cpu or auto', 'auto'] as const;
export const KERNELS_OPTION = [
  '--kernels <which>',
  'tuned (own products, softmax and norms where the backend has them: webgpu, webasm) or gpujs',
  'tuned',
] as const;

export const THREADS_OPTION = [
  '--threads <n>',
  'threads on webasm (default: as many as there are cores)',
] as const;

/** What `openDevice` takes. */
export type DeviceChoice = Required<OpenOptions>;

/** @throws UserError (bad usage) naming what there is */
export function parseDevice({ backend, kernels, threads }: DeviceFlags): DeviceChoice {
  if (kernels !== 'tuned' && kernels !== 'gpujs') {
    throw new UserError(`--kernels: expected tuned or gpujs, got "${kernels}"`, { exitCode: 2 });
  }
  return {
    backend: parseBackend(backend) ?? 'auto',
    kernels,
    threads: threads === undefined ? undefined : parseCount('--threads', threads, 1, 256),
  };
}

/**
 * Lets WebAssembly multiply and add in one instruction where V8 has relaxed SIMD, but behind a flag, as in Node 20. The
 * flag is the whole process's, so this is for programs, not for libraries.
 */
export const enableRelaxedSimd = (): void => setFlagsFromString('--experimental-wasm-relaxed-simd');
