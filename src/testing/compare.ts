import { type GeneratedModule, loadModule } from '../codegen/load.ts';
import { generate, unchunkedPlan } from '../compile.ts';
import { evalShape } from '../ir/dims.ts';
import type { Graph, GraphInput, GraphParam } from '../ir/node.ts';
import { isExact, type Plan } from '../ir/plan.ts';
import * as runtime from '../runtime/index.ts';
import { firstDifference, SPLIT_TOLERANCE } from './difference.ts';
import { type ModelData, randomData } from './random.ts';

/** One run of a generated module. */
export interface PlanRun {
  readonly outputs: Readonly<Record<string, Float32Array>>;
  /** Highest live activation bytes while it ran: inputs, outputs and intermediates. */
  readonly measuredPeakBytes: number;
  /** Live activation bytes that the run left behind beyond its inputs and outputs: 0, or it leaks. */
  readonly leakedBytes: number;
}

/** Generates the module of a plan, loads it and runs it on a device. */
export async function runPlan(plan: Plan, device: runtime.Device, data: ModelData): Promise<PlanRun> {
  const module = loadModule<runtime.Device, runtime.Tensor>(await generate(plan), runtime);
  return runModule(module, plan.graph, device, data);
}

/** Runs a loaded module on a device. `graph` says what it takes, in numbers. */
export async function runModule(
  module: Pick<GeneratedModule<runtime.Device, runtime.Tensor>, 'run'>,
  graph: Pick<Graph, 'inputs' | 'params'>,
  device: runtime.Device,
  data: ModelData,
): Promise<PlanRun> {
  const upload = (value: GraphInput | GraphParam, elements: Float32Array, role: 'upload' | 'parameter') =>
    device[role](elements, evalShape(value.shape, {}), value.dtype);
  const before = device.memory.liveBytes;
  const inputs = Object.fromEntries(
    graph.inputs.map((value) => [value.id, upload(value, data.inputs[value.id] as Float32Array, 'upload')]),
  );
  const params = Object.fromEntries(
    graph.params.map((value) => [
      value.id,
      upload(value, data.params[value.id] as Float32Array, 'parameter'),
    ]),
  );
  const { result, peakBytes } = await runtime.measure(device, () => module.run(device, inputs, params));
  const outputs: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(result)) outputs[name] = await device.read(tensor);
  const ours = graph.inputs.flatMap(({ id, donated }) => (donated ? [] : [inputs[id] as runtime.Tensor]));
  for (const tensor of [...ours, ...Object.values(result), ...Object.values(params)]) tensor.free();
  return { outputs, measuredPeakBytes: peakBytes - before, leakedBytes: device.memory.liveBytes - before };
}

/** What comparing a plan with its unchunked form found. */
export interface Comparison {
  /**
   * True when every output element is the same, bit for bit (within {@link SPLIT_TOLERANCE} where the plan splits reductions;
   * NaN equals NaN), and every peak is as planned.
   */
  readonly ok: boolean;
  /** One line a failure, empty when ok. */
  readonly failures: readonly string[];
  readonly maxAbsDiff: number;
  readonly unchunked: PlanRun;
  readonly chunked: PlanRun;
}

/**
 * Runs a plan and its unchunked form on the same data and checks the two promises: the answer does not change, and
 * planned peaks are the measured ones, to the byte.
 */
export async function comparePlan(
  plan: Plan,
  device: runtime.Device,
  data: ModelData = randomData(plan.graph, 1),
): Promise<Comparison> {
  const baseline = unchunkedPlan(plan);
  const unchunked = await runPlan(baseline, device, data);
  const chunked = await runPlan(plan, device, data);
  const failures: string[] = [];
  let maxAbsDiff = 0;
  for (const [name, expected] of Object.entries(unchunked.outputs)) {
    const actual = chunked.outputs[name] as Float32Array;
    failures.push(...differences(name, expected, actual, isExact(plan)));
    expected.forEach((value, i) => {
      maxAbsDiff = Math.max(maxAbsDiff, Math.abs(value - (actual[i] as number)));
    });
  }
  for (const [label, run, planned] of [
    ['unchunked', unchunked, plan.unchunked.peakBytes],
    ['chunked', chunked, plan.planned.peakBytes],
  ] as const) {
    if (run.measuredPeakBytes !== planned) {
      failures.push(`${label} peak: planned ${planned} bytes, measured ${run.measuredPeakBytes} bytes`);
    }
    if (run.leakedBytes !== 0) failures.push(`${label} run leaks ${run.leakedBytes} bytes`);
  }
  return { ok: failures.length === 0, failures, maxAbsDiff, unchunked, chunked };
}

/** The first element in which an output differs more than it may between two runs, in words; nothing where none does. */
export function differences(
  name: string,
  expected: Float32Array,
  actual: Float32Array,
  exact: boolean,
): string[] {
  const first = firstDifference(expected, actual, exact ? 0 : SPLIT_TOLERANCE);
  return first < 0
    ? []
    : [`output ${name}[${first}]: unchunked ${expected[first]}, chunked ${actual[first]}`];
}
