import { UserError } from '../errors.ts';
import type { Device, DType } from './device.ts';
import { type Extent, namedExtent } from './dims.ts';
import type { Tensor } from './tensor.ts';

/** An input that a generated module asks for (`info.inputs`). */
export interface InputInfo {
  /** Extents; names of dimensions in a module for a range of sizes. */
  readonly shape: readonly Extent[];
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
 *
 * In a module for a range of sizes, named extents follow from the numbers of elements; `dims` gives those that do not.
 */
export function uploadInputs<Id extends string>(
  device: Device,
  specs: Readonly<Record<Id, InputInfo>>,
  values: Readonly<Record<string, ArrayLike<number>>>,
  dims: Readonly<Record<string, number>> = {},
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
  const shapes = bindShapes(specs, values, dims);
  for (const id of ids)
    checkInput(id, specs[id], shapes[id] as readonly number[], values[id] as ArrayLike<number>);
  return Object.fromEntries(
    ids.map((id) => {
      const shape = shapes[id] as readonly number[];
      return [id, device.upload(values[id] as ArrayLike<number>, shape, specs[id].dtype)];
    }),
  ) as Record<Id, Tensor>;
}

/** The shapes in numbers. A name that is the only one without a value in an input follows from its number of elements. */
function bindShapes(
  specs: Readonly<Record<string, InputInfo>>,
  values: Readonly<Record<string, ArrayLike<number>>>,
  given: Readonly<Record<string, number>>,
): Record<string, readonly number[]> {
  const dims: Record<string, number> = { ...given };
  for (const [id, { shape }] of Object.entries(specs)) {
    let known = 1;
    const open: string[] = [];
    for (const extent of shape) {
      const { times, name } = typeof extent === 'number' ? { times: extent, name: '' } : namedExtent(extent);
      if (name !== '' && dims[name] === undefined) open.push(name);
      known *= times * (dims[name] ?? 1);
    }
    const [name] = open;
    if (name === undefined || open.some((other) => other !== name)) continue;
    dims[name] = Math.round(((values[id] as ArrayLike<number>).length / known) ** (1 / open.length));
  }
  const extentOf = (id: string, extent: Extent): number => {
    if (typeof extent === 'number') return extent;
    const { times, name } = namedExtent(extent);
    const size = dims[name];
    if (size === undefined)
      throw new UserError(`input ${id}: its elements do not tell ${name}; give it as one of \`dims\``);
    return times * size;
  };
  return Object.fromEntries(
    Object.entries(specs).map(([id, { shape }]) => [id, shape.map((extent) => extentOf(id, extent))]),
  );
}

function checkInput(
  id: string,
  { dtype, below }: InputInfo,
  shape: readonly number[],
  data: ArrayLike<number>,
): void {
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
