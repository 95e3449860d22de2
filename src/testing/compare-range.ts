import { loadRangeModule, type RangeModule } from '../codegen/load.ts';
import {
  compileRange,
  planGraph,
  type RangeCompilation,
  type RangeCompileOptions,
  unchunkedPlan,
} from '../compile.ts';
import type { Bindings } from '../ir/dims.ts';
import type { Graph } from '../ir/node.ts';
import * as runtime from '../runtime/index.ts';
import { differences, runModule, runPlan } from './compare.ts';
import { randomData } from './random.ts';

/** What one size of a range showed. */
export interface RangeCase {
  readonly size: number;
  readonly plannedPeakBytes: number;
  readonly measuredPeakBytes: number;
  readonly unchunkedPeakBytes: number;
  /** One line a failure, empty when all is well. */
  readonly failures: readonly string[];
}

/** A module for a range of sizes, on a device, beside the model without loops. */
export class RangeSubject {
  readonly compilation: RangeCompilation;
  readonly #graph: Graph;
  readonly #module: RangeModule<runtime.Device, runtime.Tensor>;
  readonly #device: runtime.Device;

  private constructor(graph: Graph, compilation: RangeCompilation, device: runtime.Device) {
    this.#graph = graph;
    this.compilation = compilation;
    this.#module = loadRangeModule<runtime.Device, runtime.Tensor>(compilation.source, runtime);
    this.#device = device;
  }

  /** Compiles and loads the module. @throws what {@link compileRange} throws */
  static async compile(
    graph: Graph,
    options: RangeCompileOptions,
    device: runtime.Device,
  ): Promise<RangeSubject> {
    const compilation = await compileRange(graph, { backend: device.backend, ...options });
    return new RangeSubject(graph, compilation, device);
  }

  /**
   * Runs the module and the model without loops on the same random data of one size, and checks: outputs are the same, bit for bit;
   * the measured peak is the one that the module announces, to the byte, and within the budget; nothing leaks.
   */
  async check(size: number, seed: number): Promise<RangeCase> {
    const { plan } = this.compilation;
    const dims: Bindings = { ...plan.dims, [plan.over]: size };
    const whole = unchunkedPlan(
      planGraph(this.#graph, { dims, budget: { kind: 'share', share: 1 }, backend: plan.backend }),
    );
    const data = randomData(whole.graph, seed);
    const expected = await runPlan(whole, this.#device, data);
    const run = await runModule(this.#module, whole.graph, this.#device, data);
    const plannedPeakBytes = this.#module.plannedPeakBytes(size);
    const { measuredPeakBytes, leakedBytes } = run;
    const failures = Object.entries(expected.outputs).flatMap(([name, output]) =>
      differences(name, output, run.outputs[name] as Float32Array, true),
    );
    if (measuredPeakBytes !== plannedPeakBytes)
      failures.push(`peak: planned ${plannedPeakBytes} bytes, measured ${measuredPeakBytes} bytes`);
    if (measuredPeakBytes > plan.budgetBytes)
      failures.push(`peak: measured ${measuredPeakBytes} bytes for a budget of ${plan.budgetBytes}`);
    if (leakedBytes !== 0) failures.push(`the run leaks ${leakedBytes} bytes`);
    return {
      size,
      plannedPeakBytes,
      measuredPeakBytes,
      unchunkedPeakBytes: whole.unchunked.peakBytes,
      failures,
    };
  }
}
