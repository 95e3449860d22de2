/**
 * How far outputs may be from those without loops where a loop splits a reduction, as a share of the largest magnitude in the
 * output: sums in another order round differently. Where none does, outputs are the same bit for bit.
 */
export const SPLIT_TOLERANCE = 1e-4;

/**
 * The first element that differs by more than a share of the largest magnitude in `expected`, or at all where the share is 0;
 * -1 where there is none. NaN equals NaN.
 */
export function firstDifference(
  expected: ArrayLike<number>,
  actual: ArrayLike<number>,
  share: number,
): number {
  let largest = 0;
  for (let i = 0; share > 0 && i < expected.length; i++) {
    const magnitude = Math.abs(expected[i] as number);
    if (magnitude > largest && magnitude < Number.POSITIVE_INFINITY) largest = magnitude;
  }
  for (let i = 0; i < expected.length; i++) {
    const [x, y] = [expected[i] as number, actual[i] as number];
    if (!Object.is(x, y) && !(share > 0 && Math.abs(x - y) <= share * largest)) return i;
  }
  return expected.length === actual.length ? -1 : expected.length;
}
