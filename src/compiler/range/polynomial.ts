import {
  addDims,
  type Bindings,
  type Dim,
  dimTerms,
  evalDim,
  mulDims,
  subDims,
  substituteDim,
} from '../../ir/dims.ts';

/** A named number between two bounds, both included. */
export interface Interval {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/**
 * The largest value of a dimension over all integers of an interval, exact. Terms with a positive coefficient are largest at the
 * upper end and the others at the lower end, which bounds what lies between; halves that the bound does not rule out are
 * halved again, down to single integers.
 */
export function maximum(dim: Dim, { name, from, to }: Interval): number {
  const terms = dimTerms(dim);
  const at = (value: number): number => evalDim(dim, { [name]: value });
  const bound = (low: number, high: number): number =>
    terms.reduce(
      (sum, { coefficient, names }) => sum + coefficient * (coefficient > 0 ? high : low) ** names.length,
      0,
    );
  let best = Math.max(at(from), at(to));
  const open: [number, number][] = [[from, to]];
  for (let interval = open.pop(); interval; interval = open.pop()) {
    const [low, high] = interval;
    if (high - low < 2 || bound(low, high) <= best) continue;
    const middle = Math.floor((low + high) / 2);
    best = Math.max(best, at(middle));
    open.push([low, middle], [middle, high]);
  }
  return best;
}

/**
 * Is `a ≥ b` wherever every name is at least its lower bound? Sufficient, not necessary: counted from the bounds, the
 * difference has no negative coefficient.
 */
export function dominates(a: Dim, b: Dim, least: Bindings): boolean {
  const shifts = Object.fromEntries(
    Object.entries(least).map(([name, bound]) => [name, addDims(name, bound)]),
  );
  return dimTerms(substituteDim(subDims(a, b), shifts)).every(({ coefficient }) => coefficient > 0);
}

/** A dimension as `fixed + each · name`; undefined where it is not linear in the name. */
export function linearIn(dim: Dim, name: string): { readonly fixed: Dim; readonly each: Dim } | undefined {
  const fixed: Dim[] = [];
  const each: Dim[] = [];
  for (const { coefficient, names } of dimTerms(dim)) {
    const others = names.filter((other) => other !== name);
    if (others.length < names.length - 1) return undefined;
    (others.length === names.length ? fixed : each).push(mulDims(coefficient, ...others));
  }
  return { fixed: addDims(...fixed), each: addDims(...each) };
}
