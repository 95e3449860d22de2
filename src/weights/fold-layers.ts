/**
 * Joins lines that differ only in the number of a layer: `h.2.ln_1.bias`, `h.3.ln_1.bias` → `h.{2-3}.ln_1.bias`. A model
 * of 48 layers repeats every fault 48 times.
 */
export function foldLayers(lines: readonly string[]): string[] {
  const groups = new Map<string, { readonly first: string; readonly numbers: number[] }>();
  for (const line of lines) {
    const number = /(?:^|\.)(\d+)\./.exec(line)?.[1];
    // All of the line's mentions of this layer: a suggestion names it a second time.
    const template =
      number === undefined ? line : line.replaceAll(new RegExp(`(^|[."])${number}(?=\\.)`, 'g'), '$1\0');
    const group = groups.get(template);
    if (group) group.numbers.push(Number(number));
    else groups.set(template, { first: line, numbers: [Number(number)] });
  }
  return [...groups].map(([template, { first, numbers }]) =>
    numbers.length === 1 ? first : template.replaceAll('\0', `{${ranges(numbers)}}`),
  );
}

/** `0-3,7` for 0, 1, 2, 3, 7. */
function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && number <= last[1] + 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}
