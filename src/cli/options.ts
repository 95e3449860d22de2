import { parseBudget } from '../compiler/budget.ts';
import { UserError } from '../errors.ts';
import type { Backend } from '../ir/ops/op.ts';
import type { Budget } from '../ir/plan.ts';

const usage = (message: string): UserError => new UserError(message, { exitCode: 2 });

/** Collects the values of an option that may be repeated. */
export const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

export const BACKENDS = ['webgpu', 'webasm', 'cpu'] as const satisfies readonly Backend[];

/** Undefined for `auto`. @throws UserError (bad usage) naming the backends there are. */
export function parseBackend(text: string): Backend | undefined {
  if (text === 'auto') return undefined;
  const backend = BACKENDS.find((name) => name === text);
  if (!backend) throw usage(`--backend: expected auto, ${BACKENDS.join(', ')}, got "${text}"`);
  return backend;
}

/** Bytes of `--cap`. @throws UserError (bad usage) */
export function parseCap(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const expected = '--cap: expected bytes such as 128MiB or 134217728';
  let budget: Budget;
  try {
    budget = parseBudget(text);
  } catch (cause) {
    throw new UserError(`${expected}, got "${text}"`, { exitCode: 2, cause });
  }
  if (budget.kind !== 'bytes') throw usage(`${expected}, got "${text}"`);
  return budget.bytes;
}

/** The share of `--max-slowdown`, such as 0.05 for `5%`. @throws UserError (bad usage) */
export function parseSlowdown(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const percent = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*%\s*$/.exec(text);
  if (percent) return Number(percent[1]) / 100;
  throw usage(`--max-slowdown: expected a percentage such as 5% or 0%, got "${text}"`);
}

/** The option that keeps results the same bit for bit. */
export const EXACT = ['--exact', 'split no sum or softmax over loops: results keep their bits'] as const;

/** The option that leaves elementwise ops apart. */
export const NO_FUSE = ['--no-fuse', 'run every elementwise op by itself, none fused with others'] as const;

/** An integer option in `least … most`. @throws UserError (bad usage) */
export function parseCount(option: string, text: string, least: number, most = 2 ** 31): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw usage(`${option}: expected an integer from ${least} to ${most}, got "${text}"`);
  }
  return value;
}
