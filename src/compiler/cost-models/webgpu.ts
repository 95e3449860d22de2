import type { CostModel } from '../cost-model.ts';

export const webgpu: CostModel = {
  version: 1,
  backend: 'webgpu',
  adapter: 'any',
  source: 'assumed',
  note: 'one dispatch, one matmul and one addition on a two-core server (webgpu: a small integrated GPU), for all classes',
  kernels: {
    matmul: {
      dispatchSeconds: 0.000005,
      flopsPerSecond: 50000000000,
      bytesPerSecond: 20000000000,
      halfElements: 0,
      halfRow: 0,
    },
    convolution: {
      dispatchSeconds: 0.000005,
      flopsPerSecond: 50000000000,
      bytesPerSecond: 20000000000,
      halfElements: 0,
      halfRow: 0,
    },
    rows: {
      dispatchSeconds: 0.000005,
      flopsPerSecond: 50000000000,
      bytesPerSecond: 20000000000,
      halfElements: 0,
      halfRow: 0,
    },
    elementwise: {
      dispatchSeconds: 0.000005,
      flopsPerSecond: 50000000000,
      bytesPerSecond: 20000000000,
      halfElements: 0,
      halfRow: 0,
    },
    copy: {
      dispatchSeconds: 0.000005,
      flopsPerSecond: 50000000000,
      bytesPerSecond: 20000000000,
      halfElements: 0,
      halfRow: 0,
    },
  },
  moduleSeconds: 0,
  weights: {
    nodes: 1,
    flops: 3.9999999999999996e-10,
    density: 1,
    stride: 0.01,
    saturation: 250000.00000000003,
  },
};
