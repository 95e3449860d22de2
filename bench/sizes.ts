/** What a benchmark is for: seeing that it works, minutes on two slow cores, everything. */
export type BenchSize = 'quick' | 'short' | 'long';

/** Everything has what the short one has; the quick one stands apart. */
export const ofSize = <Case extends { readonly size: BenchSize }>(
  cases: readonly Case[],
  size: BenchSize,
): Case[] => cases.filter((entry) => entry.size === size || (size === 'long' && entry.size === 'short'));
