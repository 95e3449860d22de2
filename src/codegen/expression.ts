import { type Dim, type Shape, subDims, substituteDim } from '../ir/dims.ts';
import { type AttrValue, isTextAttr, type LoopNode } from '../ir/node.ts';
import type { View } from '../ir/program.ts';
import type { LoopNames } from './names.ts';
import { literal, numberLiteral } from './text.ts';

/** A loop around the code being written; remembers which of its variables that code mentions. */
export interface Frame {
  readonly loop: LoopNode;
  readonly names: LoopNames;
  usesStop: boolean;
  usesLength: boolean;
  /** Variables of halos. */
  readonly usedHalos: Set<string>;
}

interface Term {
  readonly negative: boolean;
  readonly factors: readonly string[];
}

/** The terms of a canonical dimension, positive ones first. */
function terms(dim: Dim): Term[] {
  const found = [...String(dim).matchAll(/([+-]?)([^+-]+)/g)].map(([, sign, term]) => ({
    negative: sign === '-',
    factors: (term as string).split('*'),
  }));
  return [...found.filter((term) => !term.negative), ...found.filter((term) => term.negative)];
}

/** How a dimension is written among some loops, and the names that it mentions. */
interface Written {
  readonly text: string;
  readonly names: ReadonlySet<string>;
}

const written = new WeakMap<readonly Frame[], Map<string, Written>>();

function write(dim: string, frames: readonly Frame[]): Written {
  let known = written.get(frames);
  if (!known) written.set(frames, (known = new Map()));
  let found = known.get(dim);
  if (!found) {
    const inner = inVariables(dim, frames);
    found = { text: printDim(inner), names: new Set(terms(inner).flatMap((term) => term.factors)) };
    known.set(dim, found);
  }
  return found;
}

/** A dimension in the variables of the loops around it, with `start + length` written as the stop variable. */
function inVariables(dim: string, frames: readonly Frame[]): Dim {
  const replacements: Record<string, Dim> = {};
  for (const { loop, names } of frames) {
    replacements[loop.start] = names.start;
    replacements[loop.length] = names.length;
    for (const [i, halo] of loop.halos.entries()) {
      const { start, stop } = names.halos[i] as LoopNames['halos'][number];
      replacements[halo.start] = start;
      replacements[halo.length] = subDims(stop, start);
    }
  }
  let best = substituteDim(dim, replacements);
  for (const { names } of frames) {
    const alternative = substituteDim(best, { [names.length]: subDims(names.stop, names.start) });
    if (terms(alternative).length < terms(best).length) best = alternative;
  }
  return best;
}

function printDim(dim: Dim): string {
  if (typeof dim === 'number') return numberLiteral(dim);
  return terms(dim)
    .map(({ negative, factors }, i) => {
      const sign = i === 0 ? (negative ? '-' : '') : negative ? ' - ' : ' + ';
      return sign + factors.join(' * ');
    })
    .join('');
}

/** JavaScript for a dimension. */
export function dimension(dim: Dim, frames: readonly Frame[]): string {
  if (typeof dim === 'number') return numberLiteral(dim);
  const { text, names } = write(dim, frames);
  for (const frame of frames) {
    if (names.has(frame.names.stop)) frame.usesStop = true;
    if (names.has(frame.names.length)) frame.usesLength = true;
    for (const { start, stop } of frame.names.halos) {
      if (names.has(start)) frame.usedHalos.add(start);
      if (names.has(stop)) frame.usedHalos.add(stop);
    }
  }
  return text;
}

/** A dimension as comments show it: names the variables without counting as a use. */
export const shownDimension = (dim: Dim, frames: readonly Frame[]): string =>
  typeof dim === 'number' ? numberLiteral(dim) : write(dim, frames).text;

export const shapeLiteral = (shape: Shape, frames: readonly Frame[]): string =>
  `[${shape.map((dim) => dimension(dim, frames)).join(', ')}]`;

export function attribute(value: AttrValue, frames: readonly Frame[]): string {
  if (typeof value === 'boolean') return String(value);
  if (isTextAttr(value)) return literal(value.text);
  return typeof value === 'object' ? shapeLiteral(value, frames) : dimension(value, frames);
}

/** The method call that makes a view: `.slice(1, n0, n1)`. */
export function viewCall(view: View, frames: readonly Frame[]): string {
  switch (view.kind) {
    case 'same':
      return '';
    case 'slice':
      return `.slice(${view.axis}, ${dimension(view.start, frames)}, ${dimension(view.stop, frames)})`;
    case 'permute':
      return `.permute([${view.axes.join(', ')}])`;
    case 'reshape':
      return `.reshape(${shapeLiteral(view.shape, frames)})`;
    case 'expand':
      return `.expand(${shapeLiteral(view.shape, frames)})`;
    default:
      return view satisfies never;
  }
}

/** The shape of a view of a tensor of shape `shape`. */
export function viewShape(view: View, shape: Shape): Shape {
  switch (view.kind) {
    case 'same':
      return shape;
    case 'slice':
      return shape.map((dim, axis) => (axis === view.axis ? subDims(view.stop, view.start) : dim));
    case 'permute':
      return view.axes.map((axis) => shape[axis] as Dim);
    case 'reshape':
    case 'expand':
      return view.shape;
    default:
      return view satisfies never;
  }
}
