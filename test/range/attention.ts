import type { CostModel } from '../../src/compiler/cost/cost-model.ts';
import { KERNEL_CLASSES, type KernelClass } from '../../src/compiler/cost/kernel-class.ts';
import { defineModel, f32, i32, matmul, nn, permute, softmax } from '../../src/index.ts';

/** Attention over N tokens, and an input that has N twice. */
export const attention = defineModel(
  'attention',
  { tokens: i32('N', { below: 11 }), bias: f32('N', 'N') },
  ({ tokens, bias }) => {
    const x = nn.embedding('wte', tokens, [11, 16]);
    const scores = matmul(nn.linear('q', x, 16), permute(nn.linear('k', x, 16), [1, 0]));
    return { y: matmul(softmax(scores, 1), nn.linear('v', x, 16)), rows: softmax(bias, 1) };
  },
);

const RATES: CostModel['kernels'][KernelClass] = {
  dispatchSeconds: 1e-5,
  flopsPerSecond: 1e9,
  bytesPerSecond: 2e9,
  halfElements: 1,
  halfRow: 1,
};

/** A device that nobody measures again: golden modules say how long they take. */
export const COST_MODEL: CostModel = {
  version: 1,
  backend: 'cpu',
  adapter: 'JavaScript',
  source: 'assumed',
  note: 'for tests',
  kernels: Object.fromEntries(KERNEL_CLASSES.map((kind) => [kind, RATES])) as CostModel['kernels'],
  moduleSeconds: 1e-5,
  weights: { nodes: 1, flops: 1e-8, density: 1, stride: 0.01, saturation: 1e4 },
};
