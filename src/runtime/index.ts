/** The runtime: devices, tensors and kernels. Generated modules import nothing else. */

export { fitChunk } from '../layout/chunks.ts';
export type {
  BackendName,
  Device,
  DeviceRun,
  DType,
  MemoryCounters,
  RunMemory,
  RunOptions,
  RunProgress,
  StorageView,
} from './device.ts';
export { type Extent, type RangeInfo, readDims } from './dims.ts';
export { type InputInfo, uploadInputs } from './inputs.ts';
export {
  defineKernel,
  type Kernel,
  type KernelArray,
  type KernelFunction,
  type KernelThis,
  type ScalarType,
} from './kernel.ts';
export { dispatchFolded } from './kernels/fold.ts';
export * as k from './kernels/index.ts';
export type { KernelOptions, ScratchOptions } from './kernels/options.ts';
export { registerKernel, type UserCall, type UserKernel } from './kernels/user.ts';
export { type BackendInfo, inspectBackend, listBackends, type OpenOptions, openDevice } from './open.ts';
export { loadParameters, measure, type ParameterData, type ParameterSpec } from './params.ts';
export type { Profile, Trace, TraceEvent } from './profile.ts';
export type { Storage } from './storage.ts';
export { Tensor } from './tensor.ts';
export type { KernelChoice } from './tuned.ts';
