import type { CostModel } from '../cost-model.ts';

export const webasm: CostModel = {
  version: 1,
  backend: 'webasm',
  adapter: 'any',
  source: 'assumed',
  note: 'one dispatch, one matmul and one addition on a two-core server (webgpu: a small integrated GPU), for all classes',
  kernels: {
    matmul: {
      dispatchSeconds: 0.000006,
      flopsPerSecond: 16000000000,
      bytesPerSecond: 32000000000,
      halfElements: 0,
      halfRow: 0,
    },
    convolution: {
      dispatchSeconds: 0.000006,
      flopsPerSecond: 16000000000,
      bytesPerSecond: 32000000000,
      halfElements: 0,
      halfRow: 0,
    },
    rows: {
      dispatchSeconds: 0.000006,
      flopsPerSecond: 16000000000,
      bytesPerSecond: 32000000000,
      halfElements: 0,
      halfRow: 0,
    },
    elementwise: {
      dispatchSeconds: 0.000006,
      flopsPerSecond: 16000000000,
      bytesPerSecond: 32000000000,
      halfElements: 0,
      halfRow: 0,
    },
    copy: {
      dispatchSeconds: 0.000006,
      flopsPerSecond: 16000000000,
      bytesPerSecond: 32000000000,
      halfElements: 0,
      halfRow: 0,
    },
  },
  moduleSeconds: 0,
  weights: {
    nodes: 1,
    flops: 1.0416666666666667e-9,
    density: 1,
    stride: 0.01,
    saturation: 96000,
  },
};
