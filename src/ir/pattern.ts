import { invariant } from '../errors.ts';
import { type Dim, mulDims, type Shape } from './dims.ts';

/**
 * An access pattern says, in index notation, which elements of its operands an op reads for an element of its output.
 * Everything about chunking is derived from it.
 *
 *     b m k, b k n -> b m n      k appears in operands only: contracted
 *     r c! -> r c!               every element along c needs all of c
 *     n (h d) -> n h d           an axis that is a product of labels, outermost first
 *     1 d, n d -> n d            extent-1 axis that broadcasts
 *     t! d -> s d                a slice: s appears in the output only, positioned by an attribute (see `starts`)
 *     y~ -> y                    a window slides along the axis: y is its place, `windows` says how wide it is
 *     y -> y~                    the same the other way: what is at place y is spread over what lies under the window
 */
export interface AxisTerm {
  /** Labels of the axis, outermost first; none for an axis of extent 1. */
  readonly labels: readonly string[];
  /** The axis holds the elements under a window at the places that its one label counts. */
  readonly window?: Window;
}

/**
 * Element `stride·place + dilation·k − padding[0]`, k < size, for every place; what lies outside the axis does not count.
 * Inside loop bodies the padding depends on the iteration.
 */
export interface Window {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: readonly [before: Dim, after: Dim];
}

export interface AccessPattern {
  readonly operands: readonly (readonly AxisTerm[])[];
  readonly output: readonly AxisTerm[];
  readonly extents: Readonly<Record<string, Dim>>;
  /** Labels that each output element needs whole. */
  readonly whole: readonly string[];
  /** Label → attribute that holds the position of its first element (`iota`, causal masks): shifted when cut. */
  readonly starts: Readonly<Record<string, string>>;
}

export interface PatternOptions {
  /** Extents of labels that never stand alone on an axis. */
  readonly extents?: Readonly<Record<string, Dim>>;
  readonly starts?: Readonly<Record<string, string>>;
  /** Of the labels that the text marks with `~`. */
  readonly windows?: Readonly<Record<string, Window>>;
}

interface ParsedPattern {
  operands: string[][][];
  output: string[][];
  whole: string[];
}

const parsed = new Map<string, ParsedPattern>();

function parseText(text: string): ParsedPattern {
  const known = parsed.get(text);
  if (known) return known;
  const whole = new Set<string>();
  const side = (source: string): string[][] => {
    const axes: string[][] = [];
    for (const [, group, single] of source.matchAll(/\(([^)]*)\)|([^\s()]+)/g)) {
      const labels = (group ?? (single as string))
        .split(/\s+/)
        .filter((label) => label !== '' && label !== '1');
      axes.push(
        labels.map((label) => {
          if (!label.endsWith('!')) return label;
          whole.add(label.slice(0, -1));
          return label.slice(0, -1);
        }),
      );
    }
    return axes;
  };
  const [left, right] = text.split('->') as [string, string];
  const operands = left.trim() === '' ? [] : left.split(',').map(side);
  const result: ParsedPattern = { operands, output: side(right), whole: [] };
  result.whole = [...whole];
  parsed.set(text, result);
  return result;
}

/**
 * Builds a pattern from index notation and the shapes it describes. Axes of extent 1 carry no labels: there is nothing
 * to cut on them, and they broadcast. Scalars are written as an empty operand: `, n -> n`.
 */
export function pattern(
  text: string,
  operandShapes: readonly Shape[],
  outputShape: Shape,
  options: PatternOptions = {},
): AccessPattern {
  const source = parseText(text);
  // An empty left side reads as no operands; with one operand it is a scalar.
  const operands = source.operands.length === 0 ? operandShapes.map((): string[][] => []) : source.operands;
  const extents: Record<string, Dim> = { ...options.extents };
  const learn = (axes: string[][], shape: Shape): void => {
    axes.forEach((labels, axis) => {
      const [label] = labels;
      if (labels.length !== 1 || label === undefined || isWindowed(label)) return;
      if (shape[axis] !== 1) extents[label] ??= shape[axis] as Dim;
    });
  };
  operands.forEach((axes, i) => void learn(axes, operandShapes[i] ?? []));
  learn(source.output, outputShape);
  const term = (labels: string[], extent: Dim | undefined): AxisTerm => {
    const [first = ''] = labels;
    if (!isWindowed(first)) {
      return { labels: extent === 1 ? [] : labels.filter((label) => (extents[label] ?? 1) !== 1) };
    }
    const label = first.slice(0, -1);
    const window = options.windows?.[label];
    invariant(window, () => `the pattern "${text}" needs a window for ${label}`);
    // Kept even where there is one place: the window reaches over the edge of the axis.
    extents[label] ??= 1;
    return { labels: [label], window };
  };
  return {
    operands: operands.map((axes, operand) =>
      axes.map((labels, axis) => term(labels, operandShapes[operand]?.[axis])),
    ),
    output: source.output.map((labels, axis) => term(labels, outputShape[axis])),
    extents,
    whole: source.whole,
    starts: options.starts ?? {},
  };
}

const isWindowed = (label: string): boolean => label.endsWith('~');

/** Product of the extents of the labels inside the first one of an axis: the elements one unit of that label spans. */
export const innerExtent = (axis: AxisTerm, extents: Readonly<Record<string, Dim>>): Dim =>
  mulDims(1, ...axis.labels.slice(1).map((label) => extents[label] as Dim));
