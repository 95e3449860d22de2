/**
 * Symbolic extents. A `Dim` is a number, or the canonical text of a polynomial with integer coefficients over named
 * dimensions: `'N'`, `'2*N'`, `'N+1'`, `'B*N'`. Canonical means that two equal polynomials have the same text, so
 * dims compare with `===`, print as they are and survive JSON.
 */
export type Dim = number | string;
export type Shape = readonly Dim[];
/** Values of named dimensions. */
export type Bindings = Readonly<Record<string, number>>;

/** Monomial text (names sorted and joined by `*`; '' for the constant) → coefficient. Zero coefficients are absent. */
type Polynomial = Map<string, number>;

const NAME = /^[A-Za-z_$][\w$]*$/;
const parsed = new Map<string, Polynomial>();

function parse(dim: Dim): Polynomial {
  if (typeof dim === 'number') return dim === 0 ? new Map() : new Map([['', dim]]);
  const known = parsed.get(dim);
  if (known) return known;
  const polynomial: Polynomial = new Map();
  for (const [, sign, term] of dim.replace(/\s+/g, '').matchAll(/([+-]?)([^+-]+)/g)) {
    let coefficient = sign === '-' ? -1 : 1;
    const names: string[] = [];
    for (const factor of (term as string).split('*')) {
      if (/^\d+$/.test(factor)) coefficient *= Number(factor);
      else if (NAME.test(factor)) names.push(factor);
      else throw new SyntaxError(`not a dimension: "${dim}"`);
    }
    accumulate(polynomial, names.sort().join('*'), coefficient);
  }
  parsed.set(dim, polynomial);
  return polynomial;
}

function accumulate(into: Polynomial, monomial: string, coefficient: number): void {
  const sum = (into.get(monomial) ?? 0) + coefficient;
  if (sum === 0) into.delete(monomial);
  else into.set(monomial, sum);
}

function print(polynomial: Polynomial): Dim {
  if (polynomial.size === 0) return 0;
  const monomials = [...polynomial.keys()].sort((a, b) => degree(b) - degree(a) || (a < b ? -1 : 1));
  if (monomials.length === 1 && monomials[0] === '') return polynomial.get('') as number;
  let text = '';
  for (const monomial of monomials) {
    const coefficient = polynomial.get(monomial) as number;
    const magnitude = Math.abs(coefficient);
    const sign = coefficient < 0 ? '-' : text === '' ? '' : '+';
    text +=
      sign + (monomial === '' ? `${magnitude}` : magnitude === 1 ? monomial : `${magnitude}*${monomial}`);
  }
  return text;
}

const degree = (monomial: string): number => (monomial === '' ? 0 : monomial.split('*').length);

/** Canonical form of a dimension written by a person (`'1 + N'` → `'N+1'`). Throws SyntaxError on anything else. */
export const canonicalDim = (dim: Dim): Dim => (typeof dim === 'number' ? dim : print(parse(dim)));

export function addDims(...dims: readonly Dim[]): Dim {
  if (dims.every((dim) => typeof dim === 'number')) return dims.reduce((a, b) => a + b, 0);
  const sum: Polynomial = new Map();
  for (const dim of dims)
    for (const [monomial, coefficient] of parse(dim)) accumulate(sum, monomial, coefficient);
  return print(sum);
}

export const subDims = (a: Dim, b: Dim): Dim => addDims(a, mulDims(-1, b));

export function mulDims(...dims: readonly Dim[]): Dim {
  // Adding 0 turns -0 into 0: canonical dims have one zero.
  if (dims.every((dim) => typeof dim === 'number'))
    return dims.reduce<number>((a, b) => a * (b as number), 1) + 0;
  if (dims.length === 2 && dims[0] === 1) return canonicalDim(dims[1] as Dim);
  let product: Polynomial = new Map([['', 1]]);
  for (const dim of dims) {
    const next: Polynomial = new Map();
    for (const [m1, c1] of product) {
      for (const [m2, c2] of parse(dim)) {
        const names = [...m1.split('*'), ...m2.split('*')].filter((name) => name !== '');
        accumulate(next, names.sort().join('*'), c1 * c2);
      }
    }
    product = next;
  }
  return print(product);
}

/** `a / b` when it is a polynomial again (b a single monomial that divides every term), otherwise `undefined`. */
export function divDims(a: Dim, b: Dim): Dim | undefined {
  if (a === b) return 1;
  const divisor = [...parse(b)];
  if (divisor.length !== 1) return undefined;
  const [monomial, coefficient] = divisor[0] as [string, number];
  const quotient: Polynomial = new Map();
  for (const [m, c] of parse(a)) {
    if (c % coefficient !== 0) return undefined;
    const names = m === '' ? [] : m.split('*');
    for (const name of monomial === '' ? [] : monomial.split('*')) {
      const at = names.indexOf(name);
      if (at < 0) return undefined;
      names.splice(at, 1);
    }
    accumulate(quotient, names.join('*'), c / coefficient);
  }
  return print(quotient);
}

/** `⌊a / n⌋` for an integer n > 0 when it is a polynomial again: n divides every term but the constant. */
export function floorDivDim(a: Dim, n: number): Dim | undefined {
  const quotient: Polynomial = new Map();
  for (const [monomial, coefficient] of parse(a)) {
    if (monomial !== '' && coefficient % n !== 0) return undefined;
    accumulate(quotient, monomial, Math.floor(coefficient / n));
  }
  return print(quotient);
}

/** Value of a dimension. Throws RangeError naming the first unbound name. */
export function evalDim(dim: Dim, bindings: Bindings): number {
  if (typeof dim === 'number') return dim;
  let value = 0;
  for (const [monomial, coefficient] of parse(dim)) {
    let term = coefficient;
    for (const name of monomial === '' ? [] : monomial.split('*')) {
      const bound = bindings[name];
      if (bound === undefined) throw new RangeError(`dimension ${name} is not bound`);
      term *= bound;
    }
    value += term;
  }
  return value;
}

/** Replaces named dimensions by other dimensions (numbers or polynomials). */
export function substituteDim(dim: Dim, replacements: Readonly<Record<string, Dim>>): Dim {
  if (typeof dim === 'number') return dim;
  const terms: Dim[] = [];
  for (const [monomial, coefficient] of parse(dim)) {
    const factors = monomial === '' ? [] : monomial.split('*').map((name) => replacements[name] ?? name);
    terms.push(mulDims(coefficient, ...factors));
  }
  return addDims(...terms);
}

/** The names a dimension depends on, sorted. */
export function dimNames(dim: Dim): string[] {
  if (typeof dim === 'number') return [];
  const names = new Set<string>();
  for (const monomial of parse(dim).keys()) for (const name of monomial.split('*')) if (name) names.add(name);
  return [...names].sort();
}

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);
export const evalShape = (shape: Shape, bindings: Bindings): number[] =>
  shape.map((dim) => evalDim(dim, bindings));
/** Number of elements. */
export const sizeOf = (shape: Shape): Dim => mulDims(1, ...shape);
export const printShape = (shape: Shape): string => `[${shape.join(', ')}]`;

/** One term of a dimension: `3*B*N` has the coefficient 3 and the names B and N. */
export interface DimTerm {
  readonly coefficient: number;
  readonly names: readonly string[];
}

/** The terms of a dimension, none of them 0. */
export const dimTerms = (dim: Dim): DimTerm[] =>
  [...parse(dim)].map(([monomial, coefficient]) => ({
    coefficient,
    names: monomial === '' ? [] : monomial.split('*'),
  }));
