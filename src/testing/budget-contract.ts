import { BudgetError } from '../compiler/budget.ts';
import type { Chosen } from '../compiler/passes/recompute.ts';
import { plan } from '../compiler/pipeline.ts';
import { loopsOf } from '../compiler/search/needless.ts';
import type { Graph } from '../ir/node.ts';
import type { Budget, Plan } from '../ir/plan.ts';
import type { Device } from '../runtime/index.ts';
import { trace } from '../trace/tracer.ts';
import { comparePlan } from './compare.ts';
import type { RandomProgram } from './programs.ts';
import { randomData, randomSource } from './random.ts';
import { uselessLoops } from './useless-loops.ts';

/** What became of one program and one budget. */
export interface ContractCase {
  readonly budget: Budget;
  /** No plan meets the budget, and the planner said so. */
  readonly isRefused: boolean;
  readonly loops: number;
  /** Loops that the plan does not need to stay within the budget. */
  readonly uselessLoops: number;
  readonly isOverBudget: boolean;
  /** One line for everything that is not as promised, empty when all is. */
  readonly failures: readonly string[];
}

/** Shares of the unchunked peak that programs are planned for; many of them are out of reach. */
const SHARES = [0.9, 0.75, 0.6, 0.45, 0.3];

/**
 * Plans a program for three budgets: `min`, bytes between the smallest peak and that of the whole, and a share of the unchunked
 * peak. Plans are run on the device beside their unchunked form.
 *
 * @param seed picks the budgets and the data
 */
export async function checkContract(
  program: RandomProgram,
  device: Device,
  seed: number,
): Promise<ContractCase[]> {
  const graph = trace(program.model);
  const next = randomSource(seed);
  const subject: Subject = { graph, program, device, seed };
  const min = await check(subject, { kind: 'min' });
  const cases = [min];
  const least = min.plan?.planned.peakBytes ?? 0;
  const most = min.plan?.unchunked.peakBytes ?? 0;
  const bytes = least + Math.floor(next() * (most - least));
  if (most > least) cases.push(await check(subject, { kind: 'bytes', bytes }, least));
  const share = SHARES[Math.floor(next() * SHARES.length)] as number;
  cases.push(await check(subject, { kind: 'share', share }, least));
  return cases.map(({ plan: _, ...result }) => result);
}

interface Subject {
  readonly graph: Graph;
  readonly program: RandomProgram;
  readonly device: Device;
  readonly seed: number;
}

/** `reachable`: bytes that a plan is known to stay within. */
async function check(
  { graph, program: { dims }, device, seed }: Subject,
  budget: Budget,
  reachable = Number.POSITIVE_INFINITY,
): Promise<ContractCase & { readonly plan: Plan | undefined }> {
  const told: { chosen?: Chosen } = {};
  const { backend } = device;
  const without = { budget, loops: 0, uselessLoops: 0, isOverBudget: false, plan: undefined };
  let planned: Plan;
  try {
    planned = plan(graph, { dims, budget, backend, onChosen: (loops) => void (told.chosen = loops) });
  } catch (error) {
    if (!(error instanceof BudgetError))
      return { ...without, isRefused: false, failures: [`no plan: ${String(error)}`] };
    const { budgetBytes } = error;
    const failures =
      budgetBytes >= reachable ? [`refused ${budgetBytes} bytes, ${reachable} can be met`] : [];
    return { ...without, isRefused: true, failures };
  }
  const {
    budgetBytes,
    planned: { peakBytes },
  } = planned;
  const { choices, graph: searched } = told.chosen as Chosen;
  const useless = uselessLoops({ graph: searched, choices }, budgetBytes);
  const isOverBudget = peakBytes > budgetBytes;
  const { failures } = await comparePlan(planned, device, randomData(planned.graph, seed));
  return {
    budget,
    isRefused: false,
    loops: loopsOf(choices).length,
    uselessLoops: useless.length,
    isOverBudget,
    failures: [
      ...(isOverBudget ? [`planned ${peakBytes} bytes for a budget of ${budgetBytes}`] : []),
      ...useless.map(({ region }) => `the loop over ${[...region.cuts.keys()].join(' ')} is of no use`),
      ...failures,
    ],
    plan: planned,
  };
}
