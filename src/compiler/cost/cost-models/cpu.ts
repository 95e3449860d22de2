import type { CostModel } from '../cost-model.ts';

/** Written by `npm run tune`; its samples are in `bench/results/tune-cpu.json`. */
export const cpu: CostModel = {
  version: 1,
  backend: 'cpu',
  adapter: 'JavaScript',
  source: 'fitted',
  note: '2 cores (Intel(R) Xeon(R) Processor), 23.5 GiB, Node 20.20.2 on linux x64, load average 13.1 before and 14.2 after',
  kernels: {
    matmul: {
      dispatchSeconds: 0.0000139,
      flopsPerSecond: 659000000,
      bytesPerSecond: 1360000000,
      halfElements: 0.934,
      halfRow: 0.178,
    },
    convolution: {
      dispatchSeconds: 0.0000462,
      flopsPerSecond: 572000000,
      bytesPerSecond: 181000000,
      halfElements: 0.654,
      halfRow: 0.0442,
    },
    rows: {
      dispatchSeconds: 0.00000862,
      flopsPerSecond: 532000000,
      bytesPerSecond: 2130000000,
      halfElements: 0.102,
      halfRow: 2.09,
    },
    elementwise: {
      dispatchSeconds: 0.00000723,
      flopsPerSecond: 531000000,
      bytesPerSecond: 2520000000,
      halfElements: 0.873,
      halfRow: 1.33,
    },
    copy: {
      dispatchSeconds: 0.00000673,
      flopsPerSecond: 187000000,
      bytesPerSecond: 2220000000,
      halfElements: 1.01,
      halfRow: 0.393,
    },
  },
  moduleSeconds: 0.0000327,
  weights: { nodes: 1, flops: 1.88e-9, density: 0.189, stride: 0.00166, saturation: 9160 },
  fit: {
    kernels: {
      matmul: { samples: 51, medianError: 0.0382, rSquared: 0.997 },
      convolution: { samples: 28, medianError: 0.116, rSquared: 0.98 },
      rows: { samples: 86, medianError: 0.154, rSquared: 0.973 },
      elementwise: { samples: 63, medianError: 0.124, rSquared: 0.994 },
      copy: { samples: 25, medianError: 0.175, rSquared: 0.961 },
    },
    weights: { samples: 19, medianError: 0.0209, rSquared: 0.911 },
    slowdowns: { samples: 19, medianError: 0.0308, rSquared: 0.9 },
  },
};
