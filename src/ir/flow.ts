import type { AccessPattern, AxisTerm } from './pattern.ts';

/** How a loop cuts a value: unit u of the loop covers elements `multiple·u … multiple·(u + 1)` of `axis`. */
export interface Cut {
  readonly axis: number;
  readonly multiple: number;
}

/**
 * How a loop cuts what a node contracts: unit u of the loop covers elements `multiple·u … multiple·(u + 1)` of the label, and
 * every iteration makes a part of the whole result.
 */
export interface Contraction {
  readonly contracts: string;
  readonly multiple: number;
}

/** What a loop does to a node: it makes a part of its result, or a part of the sum that its result is. */
export type NodeCut = Cut | Contraction;

export const isContraction = (cut: NodeCut): cut is Contraction => 'contracts' in cut;

/** `axis 1`, or `the sum over k`. */
export const describeCut = (cut: NodeCut): string =>
  isContraction(cut) ? `sum over ${cut.contracts}` : `axis ${cut.axis}`;

/** The four rules of the search. */
export type Rule = 'basic' | 'alignment' | 'traceability' | 'unique';

/** Why a cut cannot pass a node. */
export interface Obstacle {
  readonly rule: Rule;
  /** The axis of the node's result (or, going forward, of its operand) that cannot be cut. */
  readonly axis: number;
  readonly message: string;
  /** The cut would pass if its multiple were a multiple of this. */
  readonly multiple?: number;
}

/** What a node reads when its result is cut. */
export interface Flow {
  /** For every operand the cut that reads just what is needed; undefined: the operand is read whole. */
  readonly operands: readonly (Cut | undefined)[];
  /** Attributes that hold a position along the cut: shifted by `multiple` per unit. */
  readonly shifts: readonly { readonly attr: string; readonly multiple: number }[];
}

export const isObstacle = (value: object): value is Obstacle => 'rule' in value;

/** Elements one position of the outermost label of an axis spans. Patterns of specialised graphs: numbers only. */
const inner = (axis: AxisTerm, { extents }: AccessPattern): number =>
  axis.labels.slice(1).reduce((product, label) => product * (extents[label] as number), 1);

/** From a cut of an op's result to the cuts of its operands. */
export function backward(pattern: AccessPattern, cut: Cut): Flow | Obstacle {
  const { axis } = cut;
  const term = pattern.output[axis];
  const label = term?.labels[0];
  if (term === undefined || label === undefined) {
    return { rule: 'basic', axis, message: `axis ${axis} has extent 1: there is nothing to cut` };
  }
  if (pattern.whole.includes(label)) {
    return { rule: 'basic', axis, message: `every element along axis ${axis} needs the whole axis` };
  }
  const span = inner(term, pattern);
  if (cut.multiple % span !== 0) {
    const message = `axis ${axis} merges axes and can be cut in steps of ${span} only, not ${cut.multiple}`;
    return { rule: 'traceability', axis, message, multiple: span };
  }
  if (occurrences(pattern.output, label) > 1) {
    return { rule: 'basic', axis, message: `axis ${axis} is tied to another axis of the same result` };
  }
  const multiple = cut.multiple / span;
  const operands: (Cut | undefined)[] = [];
  for (const [index, operand] of pattern.operands.entries()) {
    const at = operand.findIndex((term) => term.labels.includes(label));
    if (at < 0) {
      operands.push(undefined);
      continue;
    }
    const read = operand[at] as AxisTerm;
    if (read.window) {
      const message = `axis ${axis} is made by a window of ${read.window.size} that slides along axis ${at} of operand ${index + 1}: parts next to each other overlap there`;
      return { rule: 'traceability', axis, message };
    }
    if (read.labels[0] !== label || occurrences(operand, label) > 1) {
      const message = `axis ${axis} is interleaved with another axis in operand ${index + 1}`;
      return { rule: 'traceability', axis, message };
    }
    operands.push({ axis: at, multiple: multiple * inner(read, pattern) });
  }
  const attr = pattern.starts[label];
  return { operands, shifts: attr === undefined ? [] : [{ attr, multiple }] };
}

/** From a cut of one operand to the cut of the result. */
export function forward(pattern: AccessPattern, operand: number, cut: Cut): Cut | Obstacle {
  const { axis } = cut;
  const term = pattern.operands[operand]?.[axis];
  const label = term?.labels[0];
  const where = `axis ${axis} of operand ${operand + 1}`;
  if (term?.window) {
    return { rule: 'traceability', axis, message: `a window of ${term.window.size} slides along ${where}` };
  }
  if (term === undefined || label === undefined) {
    return { rule: 'basic', axis, message: `${where} has extent 1: there is nothing to cut` };
  }
  if (pattern.whole.includes(label)) {
    return { rule: 'traceability', axis, message: `${where} is needed whole` };
  }
  const span = inner(term, pattern);
  if (cut.multiple % span !== 0) {
    const message = `${where} can be cut in steps of ${span} only, not ${cut.multiple}`;
    return { rule: 'traceability', axis, message, multiple: span };
  }
  const to = pattern.output.findIndex((output) => output.labels.includes(label));
  const result = pattern.output[to];
  if (result === undefined) return { rule: 'traceability', axis, message: `${where} is contracted` };
  if (result.labels[0] !== label) {
    return { rule: 'traceability', axis, message: `${where} is interleaved with another axis in the result` };
  }
  return { axis: to, multiple: (cut.multiple / span) * inner(result, pattern) };
}

const occurrences = (axes: readonly AxisTerm[], label: string): number =>
  axes.filter((axis) => axis.labels.includes(label)).length;

export const sameCut = (a: Cut | undefined, b: Cut | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.axis === b.axis && a.multiple === b.multiple);
