import { UserError } from '../errors.ts';
import { elementCount } from '../layout/layout.ts';
import type { Device } from './device.ts';
import type { Tensor } from './tensor.ts';

/** A parameter that a generated module asks for: its state-dict key and shape. */
export interface ParameterSpec {
  readonly key: string;
  readonly shape: readonly number[];
}

/** A parameter's values, row-major. */
export interface ParameterData {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/**
 * Uploads the parameters of a generated module (`info.params`), looking them up by state-dict key. Throws UserError that
 * lists everything missing and every wrong shape. Unused weights are ignored.
 */
export function loadParameters<Id extends string>(
  device: Device,
  specs: Readonly<Record<Id, ParameterSpec>>,
  weights: ReadonlyMap<string, ParameterData>,
): Record<Id, Tensor> {
  const entries = Object.entries(specs) as [Id, ParameterSpec][];
  const faults = entries.flatMap(([, spec]) => fault(spec, weights.get(spec.key)) ?? []);
  if (faults.length > 0) {
    throw new UserError(
      `the weights do not fit the model (${faults.length} of ${entries.length} parameters):\n  ${faults.join('\n  ')}\n` +
        'Check that the weight file belongs to this model and that its keys are mapped.',
    );
  }
  return Object.fromEntries(
    entries.map(([id, { key, shape }]) => [
      id,
      device.parameter((weights.get(key) as ParameterData).data, shape),
    ]),
  ) as Record<Id, Tensor>;
}

function fault({ key, shape }: ParameterSpec, found: ParameterData | undefined): string | undefined {
  if (!found) return `${key}: missing, expected [${shape.join(', ')}]`;
  const same = shape.length === found.shape.length && shape.every((extent, i) => extent === found.shape[i]);
  if (!same) return `${key}: expected [${shape.join(', ')}], got [${found.shape.join(', ')}]`;
  if (found.data.length !== elementCount(shape)) {
    return `${key}: [${shape.join(', ')}] has ${elementCount(shape)} elements, got ${found.data.length}`;
  }
  return undefined;
}

/** Runs `run`, waits for the device, and returns its result with the peak of live activation bytes meanwhile. */
export async function measure<T>(
  device: Device,
  run: () => T | Promise<T>,
): Promise<{ result: T; peakBytes: number }> {
  device.memory.resetPeak();
  const result = await run();
  await device.flush();
  return { result, peakBytes: device.memory.peakBytes };
}
