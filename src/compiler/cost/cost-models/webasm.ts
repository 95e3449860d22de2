import type { CostModel } from '../cost-model.ts';

/** Written by `npm run tune`; its samples are in `bench/results/tune-webasm.json`. */
export const webasm: CostModel = {
  version: 1,
  backend: 'webasm',
  adapter: 'WebAssembly SIMD',
  source: 'fitted',
  note: '2 cores (Intel(R) Xeon(R) Processor), 23.5 GiB, Node 20.20.2 on linux x64, load average 9.9 before and 13.2 after',
  kernels: {
    matmul: {
      dispatchSeconds: 0.0000251,
      flopsPerSecond: 29200000000,
      bytesPerSecond: 9250000000,
      halfElements: 0.921,
      halfRow: 0.347,
    },
    convolution: {
      dispatchSeconds: 0.0000163,
      flopsPerSecond: 23400000000,
      bytesPerSecond: 1850000000,
      halfElements: 0.843,
      halfRow: 0.0594,
    },
    rows: {
      dispatchSeconds: 0.0000097,
      flopsPerSecond: 4030000000,
      bytesPerSecond: 11000000000,
      halfElements: 0.273,
      halfRow: 0.706,
    },
    elementwise: {
      dispatchSeconds: 0.0000083,
      flopsPerSecond: 2260000000,
      bytesPerSecond: 24000000000,
      halfElements: 0.856,
      halfRow: 8.15,
    },
    copy: {
      dispatchSeconds: 0.00000709,
      flopsPerSecond: 698000000,
      bytesPerSecond: 8650000000,
      halfElements: 1,
      halfRow: 0.596,
    },
  },
  moduleSeconds: 0.0000335,
  weights: { nodes: 1, flops: 1.9e-11, density: 0.179, stride: 0.00332, saturation: 733000 },
  fit: {
    kernels: {
      matmul: { samples: 51, medianError: 0.177, rSquared: 0.87 },
      convolution: { samples: 28, medianError: 0.235, rSquared: 0.59 },
      rows: { samples: 86, medianError: 0.133, rSquared: 0.946 },
      elementwise: { samples: 63, medianError: 0.139, rSquared: 0.985 },
      copy: { samples: 25, medianError: 0.176, rSquared: 0.862 },
    },
    weights: { samples: 18, medianError: 0.108, rSquared: 0.952 },
    slowdowns: { samples: 18, medianError: 0.113, rSquared: 0.663 },
  },
};
