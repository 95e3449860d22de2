import type { CostModel } from '../compiler/cost/cost-model.ts';
import { readCostModel } from '../compiler/cost/read-cost-model.ts';
import { UserError } from '../errors.ts';
import { formatBytes } from '../ir/bytes.ts';
import { evalShape, printShape } from '../ir/dims.ts';
import type { Backend } from '../ir/ops/op.ts';
import type { Plan } from '../ir/plan.ts';
import type { CapSource } from '../report/summary.ts';
import { inspectBackend } from '../runtime/index.ts';
import { readJsonObject } from '../weights/index.ts';
import { type Io, progress } from './io.ts';
import { parseCap } from './options.ts';

export const CAP_HELP =
  'largest single storage, e.g. 128MiB (default: what the device binds; 128MiB for webgpu where there is none)';
export const COST_MODEL_HELP = 'the speed of the device, a file that `autochunk tune --out` wrote';

/** The flags that say what the compiler may count on. */
export interface LimitFlags {
  readonly cap?: string;
  readonly costModel?: string;
  readonly exact?: true;
  /** False with `--no-fuse`. */
  readonly fuse: boolean;
}

/** What a device allows, and how fast it is: options of the compiler. */
export interface Limits {
  readonly cap: number;
  readonly capSource: CapSource;
  readonly costModel?: CostModel;
  readonly splitReductions: boolean;
  readonly fuse: boolean;
}

/**
 * `--cap` and `--cost-model` for a backend. No device is opened, and none need be there.
 *
 * @throws UserError for a file that is no cost model, or one of another backend
 */
export async function readLimits(flags: LimitFlags, backend: Backend, io: Io): Promise<Limits> {
  const given = parseCap(flags.cap);
  const { available, adapter, maxStorageBytes } = await inspectBackend(backend);
  const costModel = flags.costModel === undefined ? undefined : readCostModelFile(flags.costModel);
  if (costModel && costModel.backend !== backend) {
    throw new UserError(
      `--cost-model: ${flags.costModel} is of ${costModel.backend} (${costModel.adapter}), but the backend is ${backend}; say --backend ${costModel.backend}, or tune for ${backend}`,
      { exitCode: 2 },
    );
  }
  if (costModel && available && costModel.adapter !== adapter) {
    progress(
      io,
      `warning: ${flags.costModel} was made on ${costModel.adapter}, the device here is ${adapter}: predicted times are of the other`,
    );
  }
  return {
    cap: given ?? maxStorageBytes,
    capSource: given !== undefined ? 'given' : available ? 'device' : 'guaranteed',
    ...(costModel ? { costModel } : {}),
    splitReductions: flags.exact !== true,
    fuse: flags.fuse,
  };
}

function readCostModelFile(path: string): CostModel {
  if (path === '') throw new UserError('--cost-model: expected a file name', { exitCode: 2 });
  return readCostModel(readJsonObject(path), path);
}

/**
 * Parameters are bound as activations are: none may be larger than the cap. Where no device was asked, that is only said.
 *
 * @throws UserError naming the largest parameter
 */
export function checkParameters(
  { program, backend }: Pick<Plan, 'program' | 'backend'>,
  { cap, capSource }: Limits,
  io: Io,
): void {
  const sizes = program.params.map(({ key, shape }) => {
    const extents = evalShape(shape, {});
    return { key, shape, bytes: 4 * extents.reduce((product, extent) => product * extent, 1) };
  });
  const largest = sizes.reduce((a, b) => (b.bytes > a.bytes ? b : a), { key: '', shape: [], bytes: 0 });
  if (largest.bytes <= cap) return;
  const problem = `parameter ${largest.key} ${printShape(largest.shape)} takes ${formatBytes(largest.bytes)}`;
  if (capSource === 'device')
    throw new UserError(`${problem}, more than the ${formatBytes(cap)} that ${backend} can bind here`);
  progress(io, `warning: ${problem}, more than the cap of ${formatBytes(cap)}`);
}
