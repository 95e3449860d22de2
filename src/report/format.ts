/** `19.9 %` of a share such as 0.199. */
export const formatPercent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** `+2.1 %`, `−0.4 %`. */
export const formatSlowdown = (share: number): string =>
  `${share < 0 ? '−' : '+'}${(100 * Math.abs(share)).toFixed(1)} %`;

/** `N = 512 · B = 2`; empty without dimensions. */
export const formatDims = (dims: Readonly<Record<string, number>>): string =>
  Object.entries(dims)
    .map(([name, value]) => `${name} = ${value}`)
    .join(' · ');

/** `12.3 ms`, `4.56 s`. */
export function formatMs(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(ms >= 100 ? 0 : 1)} ms`;
}

/** Rows of cells with the columns aligned; columns in `right` are flushed right. No trailing blanks. */
export function formatTable(
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
  gap = '  ',
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join(gap)
      .trimEnd(),
  );
}

/** `1 loop`, `3 loops`. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
