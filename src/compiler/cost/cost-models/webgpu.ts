import type { CostModel } from '../cost-model.ts';

/**
 * Chosen by hand. The dispatch is measured in Dawn (many to a submit, bind groups cached), with the host's work around it;
 * the rates are those of a small integrated GPU, whose few thousand lanes need as many results to be busy. Of real adapters
 * only SwiftShader was at hand: it runs on the processor, and its fit (`bench/results/tune-webgpu.json`) says nothing about GPUs.
 */
export const webgpu: CostModel = {
  version: 1,
  backend: 'webgpu',
  adapter: 'any GPU',
  source: 'assumed',
  note: 'dispatch measured in Dawn; rates of a small integrated GPU',
  kernels: {
    matmul: {
      dispatchSeconds: 5e-6,
      flopsPerSecond: 1e11,
      bytesPerSecond: 2e10,
      halfElements: 4096,
      halfRow: 8,
    },
    convolution: {
      dispatchSeconds: 5e-6,
      flopsPerSecond: 5e10,
      bytesPerSecond: 2e10,
      halfElements: 4096,
      halfRow: 8,
    },
    rows: {
      dispatchSeconds: 5e-6,
      flopsPerSecond: 5e10,
      bytesPerSecond: 1e10,
      halfElements: 4096,
      halfRow: 8,
    },
    elementwise: {
      dispatchSeconds: 5e-6,
      flopsPerSecond: 5e10,
      bytesPerSecond: 2e10,
      halfElements: 4096,
      halfRow: 8,
    },
    copy: {
      dispatchSeconds: 5e-6,
      flopsPerSecond: 5e10,
      bytesPerSecond: 5e9,
      halfElements: 4096,
      halfRow: 8,
    },
  },
  moduleSeconds: 5e-6,
  weights: { nodes: 1, flops: 4e-10, density: 1, stride: 0.01, saturation: 250000 },
};
