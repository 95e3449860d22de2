import { UserError } from '../errors.ts';
import type { DType } from './device.ts';
import type { Tensor } from './tensor.ts';

/** An extent: a number, the name of a dimension, or a multiple of one such as `8*H`. */
export type Extent = number | string;

/** What a module for a range of sizes says about its dimensions and inputs (its `info`). */
export interface RangeInfo {
  readonly model: string;
  /** A number, or the smallest and the largest value. */
  readonly dims: Readonly<Record<string, number | readonly [from: number, to: number]>>;
  readonly inputs: Readonly<Record<string, { readonly shape: readonly Extent[]; readonly dtype: DType }>>;
}

/** `8*H` as 8 and H. */
export function namedExtent(extent: string): { readonly times: number; readonly name: string } {
  const star = extent.indexOf('*');
  return { times: star < 0 ? 1 : Number(extent.slice(0, star)), name: extent.slice(star + 1) };
}

/**
 * The values of the dimensions of a module for a range of sizes, read from the shapes of its inputs.
 *
 * @throws UserError for an input whose shape or element type is not the module's, inputs that do not agree, and a value
 *   outside the range
 */
export function readDims<Info extends RangeInfo>(
  info: Info,
  inputs: { readonly [id in keyof Info['inputs']]: Tensor },
): { readonly [name in keyof Info['dims']]: number } {
  const dims: Record<string, number> = {};
  for (const [name, value] of Object.entries(info.dims)) if (typeof value === 'number') dims[name] = value;
  const from: Record<string, string> = {};
  for (const [id, { shape, dtype }] of Object.entries(info.inputs)) {
    const tensor = (inputs as Readonly<Record<string, Tensor>>)[id];
    const expected = `[${shape.join(', ')}] of ${dtype}`;
    if (!tensor) throw new UserError(`${info.model}: there is no input ${id}, expected ${expected}`);
    const got = `[${tensor.shape.join(', ')}] of ${tensor.dtype}`;
    const fail = (why = ''): never => {
      throw new UserError(`${info.model}: input ${id} is ${got}, expected ${expected}${why}`);
    };
    if (tensor.shape.length !== shape.length || tensor.dtype !== dtype) fail();
    for (const [axis, extent] of shape.entries()) {
      const size = tensor.shape[axis] as number;
      if (typeof extent === 'number') {
        if (size !== extent) fail();
        continue;
      }
      const { times, name } = namedExtent(extent);
      if (dims[name] === undefined) {
        if (size % times !== 0) fail(`: axis ${axis} is no multiple of ${times}`);
        dims[name] = size / times;
        from[name] = `axis ${axis} of input ${id}`;
      } else if (size !== times * dims[name]) {
        fail(from[name] === undefined ? '' : `: ${name} is ${dims[name]} by ${from[name]}`);
      }
    }
  }
  for (const [name, value] of Object.entries(info.dims))
    if (typeof value !== 'number')
      checkRange(info.model, name, value, dims[name] as number, from[name] as string);
  return dims as { readonly [name in keyof Info['dims']]: number };
}

function checkRange(
  model: string,
  name: string,
  [from, to]: readonly [number, number],
  size: number,
  where: string,
): void {
  if (size >= from && size <= to) return;
  throw new UserError(
    `${model}: ${name} = ${size} (${where}) is outside the range ${from} … ${to} that this module is for. ` +
      'Compile one for a range that contains it.',
  );
}
