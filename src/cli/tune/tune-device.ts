import type { CostModel } from '../../compiler/cost/cost-model.ts';
import { COST_MODELS } from '../../compiler/cost/cost-models/index.ts';
import { fitOverhead } from '../../compiler/cost/fit/fit-overhead.ts';
import { fitRates } from '../../compiler/cost/fit/fit-rates.ts';
import { fitWeights } from '../../compiler/cost/fit/fit-weights.ts';
import { KERNEL_CLASSES, type KernelClass } from '../../compiler/cost/kernel-class.ts';
import type { Backend } from '../../ir/ops/op.ts';
import { openDevice } from '../../runtime/index.ts';
import { kernelCases } from './design.ts';
import { type KernelSample, timeKernels } from './kernels.ts';
import { foretell, overheadOf, type PlanSample, timePlans } from './plans.ts';

export interface TuneOptions {
  readonly backend: Backend | undefined;
  readonly quick: boolean;
  readonly note: string;
  readonly onProgress: (text: string) => void;
}

export interface Tuned {
  readonly costModel: CostModel;
  readonly kernels: readonly KernelSample[];
  /** With the slowdowns that the fitted time model foretells. */
  readonly plans: readonly (PlanSample & { readonly predicted: number })[];
}

/** Work that a kernel needs before it takes as long as it takes to issue, in floating-point operations. */
const saturationOf = ({ matmul }: CostModel['kernels']): number =>
  Number((matmul.dispatchSeconds * matmul.flopsPerSecond).toPrecision(3));

/** Measures a device and fits the cost model to it: rates to kernels first, then the weights of L to plans. */
export async function tuneDevice({ backend: asked, quick, note, onProgress }: TuneOptions): Promise<Tuned> {
  const device = await openDevice({ backend: asked ?? 'auto' });
  const { backend, adapter } = device;
  onProgress(`tuning for ${backend} (${adapter})`);
  let kernels: KernelSample[];
  try {
    // A GPU answers late: more work before every question.
    const leastSeconds = (backend === 'webgpu' ? 0.01 : 0.003) / (quick ? 3 : 1);
    kernels = await timeKernels(device, kernelCases(quick), {
      rounds: quick ? 3 : 9,
      leastSeconds,
      onProgress,
    });
  } finally {
    await device.destroy();
  }
  const fits = byClass((kind) => fitRates(kernels.filter((sample) => sample.kind === kind)));
  const rates = byClass((kind) => fits[kind].rates);
  const saturation = saturationOf(rates);
  const untried: CostModel = {
    version: 1,
    backend,
    adapter,
    source: 'fitted',
    note,
    kernels: rates,
    moduleSeconds: 0,
    weights: {
      ...COST_MODELS[backend].weights,
      flops: Number((1e-4 / saturation).toPrecision(3)),
      saturation,
    },
  };
  const plans = await timePlans(untried, { rounds: quick ? 3 : 12, quick, onProgress });
  const { weights, error } = fitWeights(plans, untried.weights, rates.elementwise.dispatchSeconds);
  const moduleSeconds = fitOverhead(
    plans.map((plan) => overheadOf(plan, untried)),
    rates.elementwise.dispatchSeconds,
  );
  const { predicted, error: slowdowns } = foretell(plans, { ...untried, moduleSeconds });
  const costModel: CostModel = {
    ...untried,
    moduleSeconds,
    weights,
    fit: {
      kernels: byClass((kind) => fits[kind].error),
      weights: error,
      slowdowns,
    },
  };
  return {
    costModel,
    kernels,
    plans: plans.map((plan, i) => ({ ...plan, predicted: predicted[i] as number })),
  };
}

const byClass = <T>(of: (kind: KernelClass) => T): Record<KernelClass, T> =>
  Object.fromEntries(KERNEL_CLASSES.map((kind) => [kind, of(kind)])) as Record<KernelClass, T>;
