import { expect } from 'vitest';
import { compileModel, generate, loadModule, unchunkedPlan } from '../../src/compile.ts';
import { BudgetError } from '../../src/compiler/budget.ts';
import type { Model } from '../../src/dsl/model.ts';
import type { Bindings } from '../../src/ir/dims.ts';
import type { Plan } from '../../src/ir/plan.ts';
import * as runtime from '../../src/runtime/index.ts';
import { trace } from '../../src/trace/tracer.ts';
import {
  matchParameters,
  readSafetensors,
  type Safetensors,
  type WeightNames,
  type WeightTensor,
} from '../../src/weights/index.ts';

/** A file of test/fixtures: weights, inputs and reference outputs. */
export interface Fixture extends Safetensors {
  tensor(name: string): WeightTensor;
}

export function openFixture(name: string): Fixture {
  const path = new URL(`../fixtures/${name}`, import.meta.url).pathname;
  const file = readSafetensors(path);
  return {
    ...file,
    tensor(key) {
      const stored = file.tensors.get(key);
      if (!stored) throw new Error(`${name} has no ${key}`);
      return stored.load();
    },
  };
}

/** Number of elements of all parameters of a traced model. */
export const parameterCount = (model: Model): number =>
  trace(model).params.reduce((sum, { shape }) => sum + shape.reduce<number>((n, d) => n * Number(d), 1), 0);

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    if (!(difference <= most)) most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return most;
}

export const bits = (data: Float32Array): Buffer =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength);

export type Outputs = Readonly<Record<string, Float32Array>>;

/** Runs a plan on the fixture's weights: its outputs and the peak of live activation bytes as the device counts it. */
export async function runOn(
  device: runtime.Device,
  plan: Plan,
  fixture: Fixture,
  inputs: Readonly<Record<string, WeightTensor>>,
  names: WeightNames,
): Promise<{ outputs: Outputs; peakBytes: number }> {
  const module = await loadModule(await generate(plan), runtime);
  const weights = matchParameters(plan.program.params, fixture.tensors, { ...names, file: fixture.file });
  const params = runtime.loadParameters(device, module.info.params, weights);
  const uploaded = Object.fromEntries(
    plan.program.inputs.map(({ id, dtype }) => {
      const { data, shape } = inputs[id] as WeightTensor;
      return [id, device.upload(data, shape, dtype)];
    }),
  );
  const { result, peakBytes } = await runtime.measure(device, () => module.run(device, uploaded, params));
  const outputs: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(result))
    outputs[name] = await device.read(tensor as runtime.Tensor);
  for (const tensor of [...Object.values(uploaded), ...Object.values(result), ...Object.values(params)])
    (tensor as runtime.Tensor).free();
  expect(device.memory.liveBytes).toBe(0);
  expect(device.memory.parameterBytes).toBe(0);
  return { outputs, peakBytes };
}

/** The plan for a budget, or, where no plan meets it, a check of the refusal and the plan for the smallest peak. */
export async function planOrRefusal(
  model: Model,
  dims: Bindings,
  budget: string,
  backend: runtime.BackendName,
): Promise<{ plan: Plan; refused: boolean }> {
  try {
    const { plan } = await compileModel(model, { dims, budget, backend });
    expect(plan.planned.peakBytes).toBeLessThanOrEqual(plan.budgetBytes);
    return { plan, refused: false };
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error;
    expect(error.smallestPeakBytes).toBeGreaterThan(error.budgetBytes);
    const { plan } = await compileModel(model, { dims, budget: 'min', backend });
    expect(plan.planned.peakBytes).toBe(error.smallestPeakBytes);
    return { plan, refused: true };
  }
}

export { unchunkedPlan };
