import { setFlagsFromString } from 'node:v8';
import type { Device } from '../../src/runtime/device.ts';
import { openDevice } from '../../src/runtime/open.ts';
import { hasFusedMultiply } from '../../src/runtime/webasm/gemm/fused.ts';
import { testBackends } from './backends.ts';

export interface TunedDevices {
  readonly tuned: Device;
  /** The same with gpu.js kernels. */
  readonly plain: Device;
  /** Whether both round products before they add them, so that their bits are the same. */
  readonly sameBits: boolean;
}

export interface TunedMode {
  readonly name: string;
  /** Portion of the random cases that there is time for. */
  readonly portion: number;
  readonly open: () => Promise<TunedDevices>;
}

const webasm = async (): Promise<TunedDevices> => ({
  tuned: await openDevice({ backend: 'webasm', threads: 1 }),
  plain: await openDevice({ backend: 'webasm', kernels: 'gpujs', threads: 1 }),
  sameBits: !hasFusedMultiply(),
});

/** All backends that have products of their own. */
export const tunedModes: readonly TunedMode[] = [
  { name: 'webasm, two instructions', portion: 1, open: webasm },
  {
    // With one instruction for multiply and add, where the engine has it behind a flag.
    name: 'webasm, one instruction',
    portion: 1,
    open: () => {
      setFlagsFromString('--experimental-wasm-relaxed-simd');
      return webasm();
    },
  },
  ...(testBackends.includes('webgpu')
    ? [
        {
          name: 'webgpu',
          portion: 0.4,
          open: async () => ({
            tuned: await openDevice({ backend: 'webgpu' }),
            plain: await openDevice({ backend: 'webgpu', kernels: 'gpujs' }),
            sameBits: false,
          }),
        },
      ]
    : []),
];
