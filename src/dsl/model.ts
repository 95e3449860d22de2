import { UserError } from '../errors.ts';
import type { DType, SourceLocation } from '../ir/node.ts';
import { callSite, locationOf } from '../trace/call-site.ts';
import type { Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** Declares a model input. */
export interface InputSpec<S extends Shape = Shape> {
  readonly shape: S;
  readonly dtype: DType;
  /** Exclusive upper bound of an index input. */
  readonly below?: number;
  readonly donated?: boolean;
}

export interface InputOptions {
  /**
   * The model takes the tensor over: its memory is freed, or reused, after its last use, and the caller must neither
   * read nor free it afterwards.
   */
  readonly donated?: boolean;
}

export interface IndexOptions extends InputOptions {
  /** Exclusive upper bound of the values, checked when the model runs. */
  readonly below?: number;
}

/** A float32 input: `f32('N', 64)`, `f32('N', 64, { donated: true })`. */
export function f32<const S extends Shape>(...shape: S): InputSpec<[...S]>;
export function f32<const S extends Shape>(...shape: readonly [...S, InputOptions]): InputSpec<[...S]>;
export function f32(...shape: readonly (number | string | InputOptions)[]): InputSpec {
  const { dims, options } = splitOptions(shape);
  return { shape: dims, dtype: 'f32', ...ownership('f32', options) };
}

/** An input of integers of magnitude up to 2^24, such as token ids: `i32('N')`, `i32('N', { below: 512 })`. */
export function i32<const S extends Shape>(...shape: S): InputSpec<[...S]>;
export function i32<const S extends Shape>(...shape: readonly [...S, IndexOptions]): InputSpec<[...S]>;
export function i32(...shape: readonly (number | string | IndexOptions)[]): InputSpec {
  const { dims, options } = splitOptions<IndexOptions>(shape);
  const { below } = options;
  if (below !== undefined && (!Number.isInteger(below) || below < 1)) {
    throw new UserError(`i32: expected below to be a positive integer, got ${below}`);
  }
  return {
    shape: dims,
    dtype: 'i32',
    ...(below === undefined ? {} : { below }),
    ...ownership('i32', options),
  };
}

function splitOptions<O extends InputOptions>(
  shape: readonly (number | string | O)[],
): { dims: Shape; options: Partial<O> } {
  const last = shape.at(-1);
  if (typeof last !== 'object') return { dims: [...shape] as Shape, options: {} };
  return { dims: shape.slice(0, -1) as Shape, options: last };
}

function ownership(dtype: DType, { donated }: InputOptions): InputOptions {
  if (donated !== undefined && typeof donated !== 'boolean') {
    throw new UserError(`${dtype}: expected donated to be true or false, got ${donated}`);
  }
  return donated ? { donated } : {};
}

export type InputSpecs = Readonly<Record<string, InputSpec>>;
/** The tensors that a forward function receives. */
export type InputTensors<I extends InputSpecs> = {
  readonly [K in keyof I]: I[K] extends InputSpec<infer S> ? Tensor<S> : never;
};
/** One tensor, named `output`, or a record of named ones. */
export type ModelOutput = Tensor | Readonly<Record<string, Tensor>>;

/** A model: its name, its inputs and its forward function. Trace or compile it as often as needed. */
export interface Model<I extends InputSpecs = InputSpecs, O extends ModelOutput = ModelOutput> {
  readonly kind: 'model';
  readonly name: string;
  readonly inputs: I;
  /** Where it was defined. */
  readonly at?: SourceLocation;
  // A method, so that models with particular inputs are models.
  forward(inputs: InputTensors<I>): O;
}

/**
 * Defines a model. `forward` is an ordinary function of tensors; it runs once per trace.
 *
 * @throws UserError when the name is not an identifier, or an input is not made by `f32` or `i32`.
 */
export function defineModel<const I extends InputSpecs, O extends ModelOutput>(
  name: string,
  inputs: I,
  forward: (inputs: InputTensors<I>) => O,
): Model<I, O> {
  if (typeof name !== 'string' || !/^[A-Za-z_][\w.-]*$/.test(name)) {
    throw new UserError(
      `defineModel: expected a name of letters, digits, '_', '-' and '.', got ${JSON.stringify(name)}`,
    );
  }
  for (const [key, spec] of Object.entries(inputs)) {
    if (!Array.isArray(spec?.shape)) {
      throw new UserError(`defineModel ${name}: expected input "${key}" to be f32(...) or i32(...)`);
    }
  }
  if (typeof forward !== 'function') {
    throw new UserError(`defineModel ${name}: expected a forward function as third argument`);
  }
  const site = callSite();
  return { kind: 'model', name, inputs, ...(site ? { at: locationOf(site) } : {}), forward };
}

/** Whether a value, such as a module's export, is a model. */
export const isModel = (value: unknown): value is Model =>
  typeof value === 'object' &&
  value !== null &&
  (value as { kind?: unknown }).kind === 'model' &&
  'forward' in value;
