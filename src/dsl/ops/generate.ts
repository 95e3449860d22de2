import { mulDims, subDims } from '../../ir/dims.ts';
import type { Dim, Shape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { emit, expectThat, finite } from './emit.ts';

/** i32 `[length]` with element i = (start + i) · step. */
export function iota<const D extends Dim>(
  length: D,
  options: { start?: Dim; step?: number } = {},
): Tensor<[D]> {
  return emit('iota', [], { length, start: options.start ?? 0, step: options.step ?? 1 });
}

/** The integers 0 … stop - 1 (i32), as numpy's `arange`. */
export function arange<const D extends Dim>(stop: D): Tensor<[D]>;
/** The integers start, start + step, … before stop (i32). With a step other than 1 all three are numbers. */
export function arange(start: Dim, stop: Dim, step?: number): Tensor<[Dim]>;
export function arange(first: Dim, second?: Dim, step = 1): Tensor<[Dim]> {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  if (step === 1) return iota(subDims(stop, start), { start });
  expectThat(
    typeof start === 'number' && typeof stop === 'number' && Number.isInteger(step) && step !== 0,
    'arange',
    () => `expected integers with a step other than 0, got ${start}, ${stop}, ${step}`,
  );
  const length = Math.ceil((stop - start) / step);
  expectThat(length > 0, 'arange', () => `${start} … ${stop} by ${step} is empty`);
  return start % step === 0
    ? iota(length, { start: start / step, step })
    : emit('addScalar', [emit('iota', [], { length, start: 0, step }, { name: 'steps' })], { value: start });
}

/** The same number everywhere (f32). */
export function full<const S extends Shape>(shape: S, value: number): Tensor<[...S]> {
  return emit('full', [], { shape: [...shape], value: finite('full', value) });
}

/** A constant scalar inside a larger op: named after its role, not after the variable of the whole. */
export const scalar = (value: number, name: string): Tensor<[]> =>
  emit('full', [], { shape: [], value: finite(name, value) }, { name });

/** Numbers written in the model (f32), row-major; `shape` defaults to one axis. */
export function constant<const S extends readonly number[] = [number]>(
  values: readonly number[],
  shape?: S,
): Tensor<[...S]> {
  const extents: readonly number[] = shape ?? [values.length];
  expectThat(
    mulDims(1, ...extents) === values.length,
    'constant',
    () => `[${extents.join(', ')}] has ${mulDims(1, ...extents)} elements, got ${values.length} values`,
  );
  return emit('constant', [], {
    shape: extents,
    values: values.map((value) => Math.fround(finite('constant', value))),
  });
}
