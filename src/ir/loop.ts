import { addDims, type Bindings, type Dim, evalDim, mulDims } from './dims.ts';
import type { LoopHalo, LoopNode } from './node.ts';

/** What a loop runs over, in numbers. */
export interface LoopSizes {
  readonly extent: number;
  readonly chunkSize: number;
  /** Iterations. */
  readonly chunks: number;
}

/** What says which elements the iterations of a loop cover. */
export type LoopRange = Pick<LoopNode, 'extent' | 'chunkSize' | 'start' | 'length' | 'halos'>;

/** The sizes of a loop; `bindings` give the names that its extent and chunk size depend on. */
export function loopSizes(loop: Pick<LoopNode, 'extent' | 'chunkSize'>, bindings: Bindings = {}): LoopSizes {
  const extent = evalDim(loop.extent, bindings);
  const chunkSize = evalDim(loop.chunkSize, bindings);
  return { extent, chunkSize, chunks: Math.ceil(extent / chunkSize) };
}

/** Whether the iterations of a loop make parts of its results, or add something up; `streaming` is softmax with its contraction. */
export const LOOP_KINDS = ['concat', 'reduction', 'streaming'] as const;
export type LoopKind = (typeof LOOP_KINDS)[number];

export function kindOf({ carries }: LoopNode): LoopKind {
  if (carries.length === 0) return 'concat';
  return carries.some(({ role }) => role === 'denominator') ? 'streaming' : 'reduction';
}

/** What a loop of a kind does besides putting parts together, in words; nothing where that is all. */
export const KIND_NOTES: Readonly<Record<LoopKind, string>> = {
  concat: '',
  reduction: 'adds up in parts',
  streaming: 'streaming softmax',
};

/** `N`, or `N, streaming softmax`: what a loop is over and what it does. */
export const overAndKind = ({ over, kind }: { readonly over: string; readonly kind: LoopKind }): string =>
  kind === 'concat' ? over : `${over}, ${KIND_NOTES[kind]}`;

/** Values of the names that a loop's body sees while it covers `length` units from `start`, on top of those around the loop. */
export function unitsOf(loop: LoopRange, start: number, length: number, bindings: Bindings = {}): Bindings {
  const names: Record<string, number> = { ...bindings, [loop.start]: start, [loop.length]: length };
  for (const halo of loop.halos) {
    const first = Math.max(0, halo.multiple * start - halo.before);
    const end = Math.min(evalDim(halo.extent, bindings), halo.multiple * (start + length) + halo.after);
    names[halo.start] = first;
    names[halo.length] = end - first;
  }
  return names;
}

/** Values of the names that a loop's body sees in its iteration with this index. */
export function iterationOf(loop: LoopRange, index: number, bindings: Bindings = {}): Bindings {
  const { extent, chunkSize } = loopSizes(loop, bindings);
  const start = index * chunkSize;
  return unitsOf(loop, start, Math.min(chunkSize, extent - start), bindings);
}

/**
 * Iterations such that every other one has no more elements than one of them, whatever is counted. One is enough where an
 * iteration has all of its borders, or where there are none: the first of them is the fullest.
 */
export function fullestIterations(loop: LoopRange, bindings: Bindings = {}): readonly Bindings[] {
  if (loop.halos.length === 0) return [iterationOf(loop, 0, bindings)];
  const counted = [loop.length, ...loop.halos.map(({ length }) => length)];
  const size = (names: Bindings): number => counted.reduce((sum, name) => sum + (names[name] as number), 0);
  const isWithin = (a: Bindings, b: Bindings): boolean =>
    counted.every((name) => (a[name] as number) <= (b[name] as number));
  const iterations = candidates(loop, bindings).map((index) => iterationOf(loop, index, bindings));
  const fullest: Bindings[] = [];
  for (const names of iterations.sort((a, b) => size(b) - size(a))) {
    if (!fullest.some((other) => isWithin(names, other))) fullest.push(names);
  }
  return fullest;
}

/** The fullest iteration of a loop. */
export const fullestIteration = (loop: LoopRange, bindings: Bindings = {}): Bindings =>
  fullestIterations(loop, bindings)[0] as Bindings;

/** An iteration with all of its borders or, where the ends of an axis cut short those of every iteration, all of them. */
function candidates(loop: LoopRange, bindings: Bindings): readonly number[] {
  const { extent, chunkSize, chunks } = loopSizes(loop, bindings);
  let low = 0;
  let high = Math.floor(extent / chunkSize) - 1;
  for (const { multiple, before, after, extent: elements } of loop.halos) {
    const each = multiple * chunkSize;
    low = Math.max(low, Math.ceil(before / each));
    high = Math.min(high, Math.floor((evalDim(elements, bindings) - after) / each) - 1);
  }
  return low <= high ? [low] : Array.from({ length: chunks }, (_, index) => index);
}

/**
 * Where the elements of a slice or a result start, and how many they are: `multiple` times the loop's units or, where it
 * has a halo, as many times those of the halo as its multiple is the halo's.
 */
export function rangeOf(
  loop: Pick<LoopNode, 'start' | 'length' | 'halos'>,
  { multiple, halo }: { readonly multiple: number; readonly halo?: string },
): { readonly start: Dim; readonly length: Dim } {
  const named = halo === undefined ? undefined : loop.halos.find(({ start }) => start === halo);
  const { start, length } = named ?? loop;
  const group = multiple / (named?.multiple ?? 1);
  return { start: mulDims(group, start), length: mulDims(group, length) };
}

/** The end of a range. */
export const endOf = ({ start, length }: { readonly start: Dim; readonly length: Dim }): Dim =>
  addDims(start, length);

/** The most elements of a halo in an iteration of chunks of `chunkSize` units out of `extent`. */
export function longestHalo(
  halo: Pick<LoopHalo, 'multiple' | 'before' | 'after' | 'extent'>,
  extent: number,
  chunkSize: number,
): number {
  const names = { start: 'start', length: 'units' };
  const loop = { ...names, extent, chunkSize, halos: [{ ...halo, start: 'first', length: 'elements' }] };
  return Math.max(...fullestIterations(loop).map(({ elements }) => elements as number));
}
