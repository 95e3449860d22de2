import type { DType } from '../ir/node.ts';

/** A weight in memory: plain row-major data, as `device.parameter` takes it. */
export interface WeightTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** A weight in a file, converted when asked for. */
export interface StoredTensor {
  /** Element type of the file, e.g. `BF16`. */
  readonly storedAs: string;
  readonly shape: readonly number[];
  /** Reads and converts. Throws UserError when an element does not fit an f32 or i32 tensor. */
  load(): WeightTensor;
}

/** The tensors of a file by name, in file order. */
export type StateDict = ReadonlyMap<string, StoredTensor>;

/** Largest magnitude of an i32 element: kernels hold integers in 4-byte floats. */
export const MAX_I32 = 2 ** 24;

export const elementsOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
