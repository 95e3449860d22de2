import { describe, expect, it } from 'vitest';
import type { CostModel, KernelRates } from '../../src/compiler/cost/cost-model.ts';
import { COST_MODELS } from '../../src/compiler/cost/cost-models/index.ts';
import { KERNEL_CLASSES, type KernelClass } from '../../src/compiler/cost/kernel-class.ts';
import { callSeconds, callsOf, programSeconds } from '../../src/compiler/cost/seconds.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import type { Program } from '../../src/ir/program.ts';
import { GraphBuilder, gptGraph, mlpGraph } from '../support/graphs.ts';

const rates = (over: Partial<KernelRates> = {}): KernelRates => ({
  dispatchSeconds: 1e-6,
  flopsPerSecond: 1e9,
  bytesPerSecond: 1e9,
  halfElements: 0,
  halfRow: 0,
  ...over,
});

const model = (over: Partial<Record<KernelClass, Partial<KernelRates>>> = {}): CostModel => ({
  ...COST_MODELS.webasm,
  moduleSeconds: 0,
  kernels: Object.fromEntries(
    KERNEL_CLASSES.map((kind) => [kind, rates(over[kind])]),
  ) as CostModel['kernels'],
});

describe('callsOf', () => {
  it('tells the classes of kernels apart', () => {
    const b = new GraphBuilder('classes');
    const x = b.input('x', [8, 16]);
    const image = b.input('image', [1, 4, 9, 9]);
    const w = b.param('w', [16, 5]);
    const outputs = [
      b.op('product', 'matmul', [x, w]),
      b.op('paired', 'einsum', [x, w], { equation: { text: 'ab,bc->ac' } }),
      b.op('conv', 'conv2d', [image, b.param('kernel', [2, 4, 3, 3])]),
      b.op('soft', 'softmax', [x], { axis: 1 }),
      b.op('total', 'sum', [x], { axis: 1 }),
      b.op('pooled', 'maxPool2d', [image], { kernel: [2, 2], stride: [2, 2] }),
      b.op('act', 'gelu', [x]),
      b.op('crossed', 'relu', [b.op('turned', 'permute', [x], { axes: [1, 0] })]),
      b.op('rows', 'embedding', [b.param('table', [1000, 16]), b.input('ids', [8], 'i32')]),
      b.op('joined', 'concat', [x, x], { axis: 0 }),
    ];
    const program = lower(b.build(Object.fromEntries(outputs.map((value) => [value, value]))));
    const calls = callsOf(program).map(
      ({ node, work }) =>
        `${node.op}: ${work.kind}, ${work.flops} flops, ${work.bytes} bytes, rows of ${work.row}`,
    );
    expect(calls).toMatchInlineSnapshot(`
      [
        "matmul: matmul, 1280 flops, 992 bytes, rows of 5",
        "einsum: matmul, 1280 flops, 992 bytes, rows of 5",
        "conv2d: convolution, 7056 flops, 1976 bytes, rows of 7",
        "softmax: rows, 2560 flops, 2048 bytes, rows of 16",
        "sum: rows, 128 flops, 544 bytes, rows of 16",
        "maxPool2d: rows, 256 flops, 1552 bytes, rows of 9",
        "gelu: elementwise, 1024 flops, 1024 bytes, rows of 128",
        "relu: copy, 128 flops, 1024 bytes, rows of 8",
        "embedding: copy, 0 flops, 1056 bytes, rows of 128",
        "concat: copy, 0 flops, 2048 bytes, rows of 256",
      ]
    `);
  });
});

describe('programSeconds', () => {
  it('is the roofline of every call', () => {
    const work = { passes: 1, flops: 3000, bytes: 2000, elements: 100, row: 10 };
    expect(callSeconds(work, rates())).toBeCloseTo(1e-6 + 3e-6, 15);
    expect(callSeconds(work, rates({ bytesPerSecond: 1e8 }))).toBeCloseTo(1e-6 + 2e-5, 15);
    expect(callSeconds(work, rates({ halfElements: 300 }))).toBeCloseTo(1e-6 + 4 * 3e-6, 15);
    expect(callSeconds({ ...work, passes: 3 }, rates())).toBeCloseTo(3e-6 + 3e-6, 15);
    expect(callSeconds(work, rates({ halfRow: 5 }))).toBeCloseTo(1e-6 + 1.5 * 3e-6, 15);
    const none = { passes: 1, flops: 0, bytes: 0, elements: 0, row: 1 };
    expect(callSeconds(none, rates({ halfElements: 3 }))).toBe(1e-6);
  });

  it('counts a loop once an iteration, the last one at its own length', () => {
    const planned = plan(mlpGraph(8, 64), { dims: { N: 50 }, backend: 'cpu', budget: { kind: 'min' } });
    const [loop] = planned.loops;
    const free = rates({ flopsPerSecond: 1e30, bytesPerSecond: 1e30 });
    const onlyDispatches = {
      ...model(),
      kernels: Object.fromEntries(KERNEL_CLASSES.map((kind) => [kind, free])) as CostModel['kernels'],
    };
    const count = (program: Program): number => callsOf(program).reduce((sum, { times }) => sum + times, 0);
    const calls = count(planned.program);
    const unchunked = count(planned.unchunkedProgram);
    expect(loop?.chunks).toBeGreaterThan(1);
    expect(programSeconds(planned.unchunkedProgram, onlyDispatches)).toBeCloseTo(unchunked * 1e-6, 12);
    expect(programSeconds(planned.program, onlyDispatches)).toBeCloseTo(calls * 1e-6, 12);
    expect(calls).toBeGreaterThan(unchunked);
    const around = programSeconds(planned.program, { ...onlyDispatches, moduleSeconds: 1e-6 });
    expect(around).toBeCloseTo(calls * 2e-6, 12);
  });

  it('predicts no slowdown for a plan without loops, and the slowdown of the two programs for others', () => {
    const graph = gptGraph({ layers: 1, width: 16, heads: 2, vocabulary: 11 });
    const options = { dims: { N: 64 }, backend: 'webasm', costModel: model() } as const;
    const whole = plan(graph, { ...options, budget: { kind: 'share', share: 1 } });
    expect(whole.predictedSlowdown).toBe(0);
    const planned = plan(graph, { ...options, budget: { kind: 'min' } });
    const seconds = programSeconds(planned.program, model());
    expect(planned.predictedSeconds).toBe(seconds);
    expect(1 + planned.predictedSlowdown).toBeCloseTo(
      seconds / programSeconds(planned.unchunkedProgram, model()),
      12,
    );
  });
});
