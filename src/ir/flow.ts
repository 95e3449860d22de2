import type { Dim } from './dims.ts';
import type { AccessPattern, AxisTerm, Window } from './pattern.ts';

/**
 * Which elements of an axis some units of a loop cover. Units `start … stop` cover elements `multiple·start − before …
 * multiple·stop + after`, as far as the axis has them. Borders (`before`, `after`: absent means 0) are what windows reach
 * beyond: units next to each other share them. A negative `after` leaves out what no window sees.
 */
export interface Span {
  readonly multiple: number;
  readonly before?: number;
  readonly after?: number;
}

/** How a loop cuts a value: along `axis`. */
export interface Cut extends Span {
  readonly axis: number;
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
  /** Attributes that hold a position along the cut: shifted to where the elements start. */
  readonly shifts: readonly (Span & { readonly attr: string; readonly extent: Dim })[];
  /** Windows that slide along the cut: their padding is what is left of it at either end. */
  readonly windows: readonly SlidWindow[];
}

export interface SlidWindow {
  readonly operand: number;
  /** Axis of the operand. */
  readonly axis: number;
  readonly window: Window;
  /** Whether it gathers what the operand has under it, or spreads what the operand has at its place over the result. */
  readonly kind: 'gathers' | 'spreads';
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
  const span = term.window ? term.window.stride : inner(term, pattern);
  if (cut.multiple % span !== 0) {
    const why = term.window ? `is made by a window in steps of ${span}` : 'merges axes';
    const message = `axis ${axis} ${why} and can be cut in steps of ${span} only, not ${cut.multiple}`;
    return { rule: 'traceability', axis, message, multiple: span };
  }
  if (occurrences(pattern.output, label) > 1) {
    return { rule: 'basic', axis, message: `axis ${axis} is tied to another axis of the same result` };
  }
  const { before, after } = bordersOf(cut);
  if (!term.window && (before % span !== 0 || after % span !== 0)) {
    const message = `axis ${axis} merges axes and can be cut in steps of ${span} only, not with borders of ${before} and ${after}`;
    return { rule: 'traceability', axis, message };
  }
  const places = term.window
    ? ofPlaces(cut, term.window)
    : spanOf(cut.multiple / span, before / span, after / span);
  const read = operandCuts(pattern, label, places, axis, `axis ${axis}`, term.window);
  if (isObstacle(read)) return read;
  const attr = pattern.starts[label];
  const extent = pattern.extents[label] as Dim;
  return { ...read, shifts: attr === undefined ? [] : [{ attr, ...places, extent }] };
}

/** From a cut of what an op contracts to the cuts of its operands. */
export function contract(pattern: AccessPattern, { contracts, multiple }: Contraction): Flow | Obstacle {
  const read = operandCuts(pattern, contracts, spanOf(multiple, 0, 0), -1, `the sum over ${contracts}`);
  return isObstacle(read) ? read : { ...read, shifts: [] };
}

/** The labels that an op adds up, or takes the largest of, and that no loop around cuts. */
export const contractedLabels = ({ operands, output, whole, starts }: AccessPattern): string[] => [
  ...new Set(
    operands
      .flatMap((axes) => axes.flatMap(({ labels, window }) => (window ? [] : labels)))
      .filter(
        (label) =>
          !whole.includes(label) &&
          starts[label] === undefined &&
          !output.some(({ labels }) => labels.includes(label)),
      ),
  ),
];

/** The cut of every operand that has a label, at some places of it that a window may spread; `axis` and `what` are for messages. */
function operandCuts(
  pattern: AccessPattern,
  label: string,
  places: Span,
  axis: number,
  what: string,
  spread?: Window,
): Pick<Flow, 'operands' | 'windows'> | Obstacle {
  const operands: (Cut | undefined)[] = [];
  const windows: SlidWindow[] = [];
  for (const [index, operand] of pattern.operands.entries()) {
    const at = operand.findIndex((term) => term.labels.includes(label));
    if (at < 0) {
      operands.push(undefined);
      continue;
    }
    const read = operand[at] as AxisTerm;
    const { window } = read;
    if (window) {
      const { padding } = window;
      const reach = reachOf(window);
      if (padding.some((side) => (side as number) >= reach)) {
        const message = `${what} is made by a window of ${reach} that slides along axis ${at} of operand ${index + 1}, with padding of ${padding.join(' and ')}: a part of it may see no element at all`;
        return { rule: 'traceability', axis, message };
      }
      operands.push({ axis: at, ...underWindow(places, window) });
      windows.push({ operand: index, axis: at, window, kind: 'gathers' });
      continue;
    }
    if (read.labels[0] !== label || occurrences(operand, label) > 1) {
      const message = `${what} is interleaved with another axis in operand ${index + 1}`;
      return { rule: 'traceability', axis, message };
    }
    operands.push({ axis: at, ...scaled(places, inner(read, pattern)) });
    if (spread) windows.push({ operand: index, axis: at, window: spread, kind: 'spreads' });
  }
  return { operands, windows };
}

/** Elements from the first to the last under a window, both counted. */
const reachOf = ({ size, dilation }: Window): number => dilation * (size - 1) + 1;

/**
 * The elements that windows at some places see. The first place of units from `start` is `multiple·start − before`, and
 * `padding` less than `stride` times that is its first element; the last place is `multiple·stop + after − 1`, and its last
 * element `reach − 1` further on.
 */
function underWindow(places: Span, window: Window): Span {
  const { stride, padding } = window;
  const { before, after } = bordersOf(places);
  const first = padding[0] as number;
  return spanOf(
    stride * places.multiple,
    stride * before + first,
    stride * (after - 1) + reachOf(window) - first,
  );
}

/**
 * The places of a window from which elements that it spreads over come: element e lies under those from
 * (e + padding − (reach − 1)) / stride to (e + padding) / stride, both rounded down; the first may be one too early.
 */
function ofPlaces(elements: Span, window: Window): Span {
  const { stride, padding } = window;
  const { before, after } = bordersOf(elements);
  const first = padding[0] as number;
  return spanOf(
    elements.multiple / stride,
    Math.max(0, Math.ceil((before + reachOf(window) - 1 - first) / stride)),
    Math.floor((after - 1 + first) / stride) + 1,
  );
}

/** The borders of a span, 0 where there are none. */
export const bordersOf = ({ before = 0, after = 0 }: Span): { before: number; after: number } => ({
  before,
  after,
});

/** A span; borders of 0 are left out, so that equal spans are equal objects. */
export const spanOf = (multiple: number, before: number, after: number): Span => ({
  multiple,
  ...(before === 0 ? {} : { before }),
  ...(after === 0 ? {} : { after }),
});

const scaled = (span: Span, by: number): Span => {
  const { before, after } = bordersOf(span);
  return spanOf(span.multiple * by, before * by, after * by);
};

/** The cut with its borders widened to what the node can be cut at: whole steps of a merged axis. */
export function aligned(pattern: AccessPattern, cut: Cut): Cut {
  const term = pattern.output[cut.axis];
  const step = term && !term.window ? inner(term, pattern) : 1;
  const { before, after } = bordersOf(cut);
  if (before % step === 0 && after % step === 0) return cut;
  const up = (border: number): number => Math.ceil(border / step) * step + 0;
  return { axis: cut.axis, ...spanOf(cut.multiple, up(before), up(after)) };
}

/** The cut that covers both of two cuts with the same steps. */
export function unionCut(a: Cut, b: Cut): Cut {
  const [one, other] = [bordersOf(a), bordersOf(b)];
  const before = Math.max(one.before, other.before);
  return { axis: a.axis, ...spanOf(a.multiple, before, Math.max(one.after, other.after)) };
}

/** Does a cut cover everything that another one does? */
export function coversCut(cut: Cut, other: Cut): boolean {
  return sameSteps(cut, other) && sameCut(unionCut(cut, other), cut);
}

/** From a cut of one operand to the cut of the result; borders are not looked at. */
export function forward(pattern: AccessPattern, operand: number, cut: Cut): Cut | Obstacle {
  const { axis } = cut;
  const term = pattern.operands[operand]?.[axis];
  const label = term?.labels[0];
  const where = `axis ${axis} of operand ${operand + 1}`;
  if (term === undefined || label === undefined) {
    return { rule: 'basic', axis, message: `${where} has extent 1: there is nothing to cut` };
  }
  if (pattern.whole.includes(label)) {
    return { rule: 'traceability', axis, message: `${where} is needed whole` };
  }
  const span = term.window ? term.window.stride : inner(term, pattern);
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
  const step = result.window ? result.window.stride : inner(result, pattern);
  return { axis: to, multiple: (cut.multiple / span) * step };
}

const occurrences = (axes: readonly AxisTerm[], label: string): number =>
  axes.filter((axis) => axis.labels.includes(label)).length;

/** Along the same axis, in the same steps; borders may differ. */
export const sameSteps = (a: Cut, b: Cut): boolean => a.axis === b.axis && a.multiple === b.multiple;

export const sameCut = (a: Cut | undefined, b: Cut | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    sameSteps(a, b) &&
    (a.before ?? 0) === (b.before ?? 0) &&
    (a.after ?? 0) === (b.after ?? 0));
