import type { AccessPattern, AxisTerm } from '../../src/ir/pattern.ts';

/** Index notation of a pattern, e.g. `a (b c), c! -> a b`. */
export function printPattern({ operands, output, whole, starts }: AccessPattern): string {
  const label = (name: string): string => (whole.includes(name) ? `${name}!` : name);
  const axis = ({ labels, window }: AxisTerm): string =>
    window
      ? `${labels[0]}~`
      : labels.length === 0
        ? '1'
        : labels.length === 1
          ? label(labels[0] as string)
          : `(${labels.map(label).join(' ')})`;
  const side = (axes: readonly AxisTerm[]): string => axes.map(axis).join(' ') || '·';
  const positions = Object.entries(starts).map(([name, attr]) => ` [${name} from ${attr}]`);
  return `${operands.map(side).join(', ')} -> ${side(output)}${positions.join('')}`.trim();
}

/** A label that a loop can cut: it leads its axis wherever it appears, and nobody needs it whole. */
export function cuttableLabels({ operands, output, whole }: AccessPattern): string[] {
  const leads = (axes: readonly AxisTerm[], label: string): boolean =>
    axes.every(({ labels, window }) => labels.indexOf(label) <= (window ? -1 : 0));
  return output
    .flatMap(({ labels }) => labels.slice(0, 1))
    .filter((label) => !whole.includes(label) && [output, ...operands].every((axes) => leads(axes, label)));
}

/** The axis that a label leads, and how many elements one unit of the label spans there. */
export function axisOf(
  axes: readonly AxisTerm[],
  label: string,
  extents: AccessPattern['extents'],
): { axis: number; multiple: number } | undefined {
  const axis = axes.findIndex(({ labels }) => labels[0] === label);
  if (axis < 0) return undefined;
  const inner = axes[axis]?.labels.slice(1) ?? [];
  return { axis, multiple: inner.reduce((product, name) => product * (extents[name] as number), 1) };
}

/** Value of every label at one index. */
export function labelValues(
  axes: readonly AxisTerm[],
  index: readonly number[],
  extents: AccessPattern['extents'],
): Map<string, number> {
  const values = new Map<string, number>();
  axes.forEach(({ labels, window }, axis) => {
    if (window) return;
    let rest = index[axis] as number;
    for (const label of [...labels].reverse()) {
      values.set(label, rest % (extents[label] as number));
      rest = Math.floor(rest / (extents[label] as number));
    }
  });
  return values;
}

/** Is the element at `index` under all windows that slide over its axes, at these places? */
export const underWindows = (
  axes: readonly AxisTerm[],
  index: readonly number[],
  places: ReadonlyMap<string, number>,
): boolean =>
  axes.every(({ labels: [label = ''], window }, axis) => {
    if (!window) return true;
    const first = (places.get(label) ?? 0) * window.stride - (window.padding[0] as number);
    const tap = ((index[axis] as number) - first) / window.dilation;
    return Number.isInteger(tap) && tap >= 0 && tap < window.size;
  });

/** Does the output element at `at` lie under all windows over the output's axes, at the places of an operand's element? */
export const isSpreadTo = (
  output: readonly AxisTerm[],
  at: readonly number[],
  places: ReadonlyMap<string, number>,
): boolean =>
  output.every(
    (axis, i) => !places.has(axis.labels[0] ?? '') || underWindows([axis], [at[i] as number], places),
  );

/** Calls `visit` with every index of a shape, in row-major order. */
export function forEachIndex(
  shape: readonly number[],
  visit: (index: readonly number[], flat: number) => void,
): void {
  const total = shape.reduce((a, b) => a * b, 1);
  for (let flat = 0; flat < total; flat++) {
    const index: number[] = [];
    let rest = flat;
    for (const extent of [...shape].reverse()) {
      index.unshift(rest % extent);
      rest = Math.floor(rest / extent);
    }
    visit(index, flat);
  }
}
