import { createHash } from 'node:crypto';
import type { DType } from '../ir/node.ts';
import { firstDifference, SPLIT_TOLERANCE } from '../testing/difference.ts';

/** An output, read back. */
export interface OutputTensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: Float32Array;
}

/** What `run` says about an output. */
export interface OutputSummary {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly first: readonly number[];
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly nonFinite: number;
  /** First 16 digits of the SHA-256 of the elements as little-endian f32. */
  readonly checksum: string;
}

export function summariseOutput(name: string, { shape, dtype, data }: OutputTensor): OutputSummary {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let nonFinite = 0;
  for (const value of data) {
    if (!Number.isFinite(value)) {
      nonFinite++;
      continue;
    }
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return {
    name,
    dtype,
    shape,
    first: [...data.subarray(0, 8)],
    min,
    max,
    mean: sum / Math.max(1, data.length - nonFinite),
    nonFinite,
    checksum: createHash('sha256').update(bytes).digest('hex').slice(0, 16),
  };
}

export interface Difference {
  readonly maxAbsDiff: number;
  readonly identical: boolean;
  readonly close: boolean;
}

/**
 * The largest difference of any two elements, whether all are the same bit for bit, and whether they are as close as they
 * must be: the same, unless reductions are split.
 */
export function compareOutputs(
  a: Readonly<Record<string, OutputTensor>>,
  b: Readonly<Record<string, OutputTensor>>,
  exact: boolean,
): Difference {
  let maxAbsDiff = 0;
  let identical = true;
  let close = true;
  for (const [name, { data }] of Object.entries(a)) {
    const other = b[name]?.data;
    if (other === undefined || other.length !== data.length)
      return { maxAbsDiff: Number.POSITIVE_INFINITY, identical: false, close: false };
    if (firstDifference(data, other, exact ? 0 : SPLIT_TOLERANCE) >= 0) close = false;
    for (let i = 0; i < data.length; i++) {
      const x = data[i] as number;
      const y = other[i] as number;
      if (Object.is(x, y)) continue;
      identical = false;
      maxAbsDiff = Math.max(maxAbsDiff, Math.abs(x - y));
    }
  }
  return { maxAbsDiff, identical, close };
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
};
