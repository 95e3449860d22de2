import { generate, planGraph, unchunkedPlan } from '../../compile.ts';
import { BudgetError } from '../../compiler/budget.ts';
import type { CostModel, FitError } from '../../compiler/cost/cost-model.ts';
import { errorOf } from '../../compiler/cost/fit/error.ts';
import { type OverheadSample, slowdownWith } from '../../compiler/cost/fit/fit-overhead.ts';
import type { WeightSample } from '../../compiler/cost/fit/fit-weights.ts';
import { callsOf, programSeconds } from '../../compiler/cost/seconds.ts';
import type { Bindings } from '../../ir/dims.ts';
import type { Graph } from '../../ir/node.ts';
import type { Plan } from '../../ir/plan.ts';
import type { Program } from '../../ir/program.ts';
import { randomData } from '../../testing/random.ts';
import { trace } from '../../trace/tracer.ts';
import { Session } from '../session.ts';
import { signatureOf } from '../signature.ts';
import { TUNE_MODELS } from './models.ts';
import { stopwatch } from './stopwatch.ts';

/** A plan that ran, beside the same model without loops. */
export interface PlanSample extends WeightSample {
  readonly model: string;
  readonly loops: readonly string[];
  readonly plan: Plan;
}

/** From a loop in a few chunks to many. */
const BUDGETS = ['70%', '50%', '40%', '30%', '20%', '15%'];
const QUICK_BUDGETS = ['70%', '30%'];
/** Plans that are expected to be slower by more tell nothing of those that people choose. */
const MOST_SLOWDOWN = 2;

/** A model gets no further rounds after so long, once it had a few. */
const MOST_MS = 4000;
const LEAST_ROUNDS = 3;

export interface PlanTimingOptions {
  readonly rounds: number;
  readonly quick: boolean;
  readonly onProgress: (text: string) => void;
}

/** Runs plans of a few small models beside the models without loops, in alternating order, and keeps the least seconds. */
export async function timePlans(
  costModel: CostModel,
  { rounds, quick, onProgress }: PlanTimingOptions,
): Promise<PlanSample[]> {
  const { backend } = costModel;
  const samples: PlanSample[] = [];
  for (const { model, n } of TUNE_MODELS) {
    onProgress(`timing plans of ${model.name}`);
    const graph = trace(model);
    const dims = { N: quick ? Math.ceil(n / 2) : n };
    const plans = (quick ? QUICK_BUDGETS : BUDGETS).flatMap((budget) =>
      planOf(graph, budget, dims, costModel),
    );
    const [first] = plans;
    if (!first) continue;
    const different = [...new Map(plans.map((plan) => [keyOf(plan), plan])).values()];
    const baseline = unchunkedPlan(first);
    const signature = signatureOf(baseline.graph);
    const data = randomData(signature, 1);
    const sessions: { readonly session: Session; seconds: number }[] = [];
    try {
      for (const plan of [baseline, ...different]) {
        const session = await Session.open({ backend }, await generate(plan), signature, data);
        sessions.push({ session, seconds: Number.POSITIVE_INFINITY });
      }
      const started = performance.now();
      for (let round = 0; round <= rounds; round++) {
        if (round > LEAST_ROUNDS && performance.now() - started > MOST_MS) break;
        for (const one of round % 2 === 0 ? sessions : [...sessions].reverse()) {
          const elapsed = stopwatch(backend);
          await one.session.run();
          // Kernels are compiled in the first round.
          if (round > 0) one.seconds = Math.min(one.seconds, elapsed());
        }
      }
    } finally {
      for (const { session } of sessions) await session.close();
    }
    const unchunkedSeconds = (sessions[0] as (typeof sessions)[number]).seconds;
    different.forEach((plan, i) => {
      const { seconds } = sessions[i + 1] as (typeof sessions)[number];
      samples.push({
        model: model.name,
        loops: loopsOf(plan),
        terms: termsOf(plan, costModel),
        unchunkedSeconds,
        seconds,
        plan,
      });
    });
  }
  return samples;
}

/** The plan within a budget, if it has loops and is not too slow; none where the budget is out of reach. */
function planOf(graph: Graph, budget: string, dims: Bindings, costModel: CostModel): Plan[] {
  try {
    const plan = planGraph(graph, { dims, budget, backend: costModel.backend, costModel });
    return plan.loops.length > 0 && plan.predictedSlowdown <= MOST_SLOWDOWN ? [plan] : [];
  } catch (error) {
    if (error instanceof BudgetError) return [];
    throw error;
  }
}

const loopsOf = ({ loops }: Plan): string[] =>
  loops.map(({ over, extent, chunkSize, depth }) => `${over} ${extent}/${chunkSize} depth ${depth}`);

const keyOf = (plan: Plan): string => loopsOf(plan).join();

/** The terms of L without their weights. */
const termsOf = ({ cost }: Plan, { weights }: CostModel): WeightSample['terms'] => ({
  nodes: cost.nodes / weights.nodes,
  flops: cost.flops / weights.flops,
  density: cost.density / weights.density,
  stride: cost.stride / weights.stride,
});

/** A measured plan and what its kernels take, by a cost model. */
export function overheadOf(sample: PlanSample, costModel: CostModel): OverheadSample {
  const kernelsOf = (program: Program): OverheadSample['planned'] => ({
    kernelSeconds: programSeconds(program, { ...costModel, moduleSeconds: 0 }),
    calls: callsOf(program).reduce((sum, { times }) => sum + times, 0),
  });
  return {
    unchunked: kernelsOf(sample.plan.unchunkedProgram),
    planned: kernelsOf(sample.plan.program),
    slowdown: sample.seconds / sample.unchunkedSeconds - 1,
  };
}

/** The slowdowns that a time model foretells for measured plans, and how well. */
export function foretell(
  samples: readonly PlanSample[],
  costModel: CostModel,
): { readonly predicted: readonly number[]; readonly error: FitError } {
  const pairs = samples.map((sample) => {
    const overhead = overheadOf(sample, costModel);
    return { predicted: slowdownWith(costModel.moduleSeconds, overhead), measured: overhead.slowdown };
  });
  const distances = pairs.map(({ predicted, measured }) => Math.abs(predicted - measured));
  return { predicted: pairs.map(({ predicted }) => predicted), error: errorOf(pairs, distances) };
}
