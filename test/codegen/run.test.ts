import { expect, test } from 'vitest';
import { generateModule } from '../../src/codegen/generate.ts';
import { loadModule, type ModuleInfo } from '../../src/codegen/load.ts';
import type { Plan } from '../../src/ir/plan.ts';
import type { Device, Tensor } from '../../src/runtime/index.ts';
import * as runtime from '../../src/runtime/index.ts';
import { testBackends } from '../support/backends.ts';
import { attention, everyOp, mlp, nested, residual, unchunkedOf } from './support.ts';

/** Reproducible values around 0. */
const values = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.sin(seed * 91.7 + i * 12.9898) * 0.7);

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

async function execute(plan: Plan, device: Device) {
  const { info, run } = loadModule<Device, Tensor>(generateModule(plan), runtime);
  const weights = new Map(
    Object.values(info.params).map(({ key, shape }, i) => [key, { shape, data: values(size(shape), i + 2) }]),
  );
  const params = runtime.loadParameters(device, info.params, weights);
  const inputs = uploadInputs(device, info);
  const { result, peakBytes } = await runtime.measure(device, () => run(device, inputs, params));
  const outputs: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(result)) outputs[name] = await device.read(tensor);
  for (const tensor of new Set(Object.values(result))) tensor.free();
  for (const tensor of Object.values(inputs)) tensor.free();
  expect(device.memory.liveBytes).toBe(0);
  return { info, outputs, peakBytes };
}

const uploadInputs = (device: Device, info: ModuleInfo): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(info.inputs).map(([name, { shape, dtype, below }]) => {
      const data = below
        ? Array.from({ length: size(shape) }, (_, i) => (i * 7) % below)
        : values(size(shape), 1);
      return [name, device.upload(data, shape, dtype)];
    }),
  );

const plans = { attention: attention(), mlp: mlp(), nested: nested(), residual: residual() };
const cases = [
  ...testBackends.flatMap((backend) =>
    Object.entries(plans).map(([name, plan]) => ({ backend, name, plan })),
  ),
  // Kernels have tests of their own on every backend; here it is the calls that count.
  { backend: 'cpu' as const, name: 'every op', plan: everyOp() },
];

test.each(cases)(
  '$name on $backend: chunked equals unchunked, measured equals planned',
  async ({ backend, plan }) => {
    const device = await runtime.openDevice({ backend });
    try {
      const chunked = await execute(plan, device);
      const whole = await execute(unchunkedOf(plan), device);
      expect(chunked.outputs).toEqual(whole.outputs);
      expect(Object.keys(chunked.outputs)).toEqual(plan.graph.outputs.map(({ name }) => name));
      expect(chunked.peakBytes).toBe(plan.planned.peakBytes);
      expect(whole.peakBytes).toBe(plan.unchunked.peakBytes);
      if (plan.loops.length > 0) expect(chunked.peakBytes).toBeLessThan(whole.peakBytes);
      expect(chunked.info.plannedPeakBytes).toBe(plan.planned.peakBytes);
    } finally {
      await device.destroy();
    }
  },
);
