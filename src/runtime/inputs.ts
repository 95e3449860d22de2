import { UserError } from '../errors.ts';
import type { Device, DType } from './device.ts';
import type { Tensor } from './tensor.ts';

/** An input that a generated module asks for (`info.inputs`). */
export interface InputInfo {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Exclusive upper bound of an index input. */
  readonly below?: number;
  /** The module takes the tensor over: upload it anew for every run, and do not free it. */
  readonly donated?: boolean;
}

/**
 * Uploads the inputs of a generated module (`info.inputs`), row-major numbers by name. Throws UserError for a missing or
 * unknown input, a wrong number of elements, a non-integer in an i32 input, and an index outside its bound, naming the
 * input, the element, its value and the bound: devices would read some other row in silence.
 */
export function uploadInputs<Id extends string>(
  device: Device,
  specs: Readonly<Record<Id, InputInfo>>,
  values: Readonly<Record<string, ArrayLike<number>>>,
): Record<Id, Tensor> {
  const ids = Object.keys(specs) as Id[];
  const missing = ids.filter((id) => !Object.hasOwn(values, id));
  const unknown = Object.keys(values).filter((id) => !Object.hasOwn(specs, id));
  if (missing.length > 0 || unknown.length > 0) {
    const faults = [
      ...(missing.length > 0 ? [`no value for ${missing.join(', ')}`] : []),
      ...(unknown.length > 0 ? [`there is no input ${unknown.join(', ')}`] : []),
    ];
    throw new UserError(`${faults.join('; ')}; the inputs are ${ids.join(', ')}`);
  }
  for (const id of ids) checkInput(id, specs[id], values[id] as ArrayLike<number>);
  return Object.fromEntries(
    ids.map((id) => {
      const { shape, dtype } = specs[id];
      return [id, device.upload(values[id] as ArrayLike<number>, shape, dtype)];
    }),
  ) as Record<Id, Tensor>;
}

function checkInput(id: string, { shape, dtype, below }: InputInfo, data: ArrayLike<number>): void {
  const count = shape.reduce((a, b) => a * b, 1);
  if (data.length !== count) {
    throw new UserError(`input ${id}: [${shape.join(', ')}] has ${count} elements, got ${data.length}`);
  }
  for (let i = 0; dtype === 'i32' && i < data.length; i++) {
    const value = data[i] as number;
    const where = `${value} at element ${i}`;
    if (!Number.isInteger(value)) throw new UserError(`input ${id}: expected integers, got ${where}`);
    if (below !== undefined && (value < 0 || value >= below)) {
      throw new UserError(`input ${id}: ${where} is out of range: ids must be 0 … ${below - 1}`);
    }
  }
}
