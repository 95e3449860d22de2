import type { Shape } from '../ir/dims.ts';
import { recorder } from '../trace/recorder.ts';
import type { Tensor } from './tensor.ts';

/**
 * Runs `body` inside a scope: parameters declared there get `name.` before their names, and reports show the path.
 * A name may be a path itself (`h.0`).
 */
export const scope = <T>(name: string, body: () => T): T => recorder('scope').scoped(name, body);

/**
 * A parameter (f32) named by its state-dict key: the scopes around the call, then `name`. Asking again for the same key
 * gives the same parameter, which is how weights are tied; with another shape it is an error.
 */
export const param = <const S extends Shape>(name: string, shape: S): Tensor<[...S]> =>
  recorder('param').param(name, shape) as Tensor as Tensor<[...S]>;

/** The integers 0 … count - 1, for loops over layers. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
