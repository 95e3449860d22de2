import { UserError } from '../errors.ts';
import type { DType } from './device.ts';
import type { Tensor } from './tensor.ts';

/** What a module for a range of sizes says about its dimensions and inputs (its `info`). */
export interface RangeInfo {
  readonly model: string;
  /** A number, or the smallest and the largest value. */
  readonly dims: Readonly<Record<string, number | readonly [from: number, to: number]>>;
  /** Extents are numbers or names of dimensions. */
  readonly inputs: Readonly<
    Record<string, { readonly shape: readonly (number | string)[]; readonly dtype: DType }>
  >;
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
  const from: Record<string, string> = {};
  for (const [id, { shape, dtype }] of Object.entries(info.inputs)) {
    const tensor = (inputs as Readonly<Record<string, Tensor>>)[id];
    const expected = `[${shape.join(', ')}] of ${dtype}`;
    if (!tensor) throw new UserError(`${info.model}: there is no input ${id}, expected ${expected}`);
    const got = `[${tensor.shape.join(', ')}] of ${tensor.dtype}`;
    if (tensor.shape.length !== shape.length || tensor.dtype !== dtype)
      throw new UserError(`${info.model}: input ${id} is ${got}, expected ${expected}`);
    shape.forEach((extent, axis) => {
      const size = tensor.shape[axis] as number;
      const known = typeof extent === 'number' ? extent : (fixed(info.dims[extent]) ?? dims[extent]);
      if (known === undefined) {
        dims[extent] = size;
        from[extent] = `axis ${axis} of input ${id}`;
      } else if (size !== known) {
        const why =
          typeof extent === 'string' && from[extent] ? `: ${extent} is ${known} in ${from[extent]}` : '';
        throw new UserError(`${info.model}: input ${id} is ${got}, expected ${expected}${why}`);
      }
    });
  }
  for (const [name, value] of Object.entries(info.dims)) {
    const number = fixed(value);
    if (number !== undefined) dims[name] = number;
    else checkRange(info, name, dims[name] as number, from[name] as string);
  }
  return dims as { readonly [name in keyof Info['dims']]: number };
}

const fixed = (value: RangeInfo['dims'][string] | undefined): number | undefined =>
  typeof value === 'number' ? value : undefined;

function checkRange({ model, dims }: RangeInfo, name: string, size: number, where: string): void {
  const [from, to] = dims[name] as readonly [number, number];
  if (size >= from && size <= to) return;
  throw new UserError(
    `${model}: ${name} = ${size} (${where}) is outside the range ${from} … ${to} that this module is for. ` +
      'Compile one for a range that contains it.',
  );
}
