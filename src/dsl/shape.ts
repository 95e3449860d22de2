/**
 * Shapes as types. A literal number is a known extent, a literal name such as `'N'` a dimension equal only to itself;
 * `number`, `string` or an array of unknown length are unknown here and checked when the model is traced.
 *
 * A mistake is reported at the argument that does not fit: the parameter's type becomes the message.
 */
import type { Dim, Shape } from '../ir/dims.ts';
import type { Product, Sum } from './product.ts';

export type { Dim, Shape } from '../ir/dims.ts';

/** True for `number`, `string`, template strings and unions with them. */
export type IsUnknown<D extends Dim> = [Empty] extends [Record<D, 1>] ? true : false;
// An index signature asks for no property, a literal key does.
type Empty = Record<never, 1>;
/** True when the rank is not known. */
export type IsOpen<S extends Shape> = number extends S['length'] ? true : false;

/** A shape as the messages print it: `[N, 768]`; unknown extents are `?`. */
export type Show<S extends Shape> = IsOpen<S> extends true ? '[...]' : `[${Join<S>}]`;
type Join<S extends Shape> = S extends readonly [infer H extends Dim]
  ? ShowDim<H>
  : S extends readonly [infer H extends Dim, ...infer T extends Shape]
    ? `${ShowDim<H>}, ${Join<T>}`
    : '';
export type ShowDim<D extends Dim> = IsUnknown<D> extends true ? '?' : `${D}`;

// Compared inside a box, a dimension that is a type parameter equals itself; bare, TypeScript would put off the answer.
interface Box<T> {
  readonly is: T;
}
type Identical<A, B> = Box<A> extends Box<B> ? (Box<B> extends Box<A> ? true : false) : false;

/** Equal, or not known to differ. */
export type Same<A extends Dim, B extends Dim> =
  Box<A> extends Box<B> ? true : Box<B> extends Box<A> ? true : false;

type BroadcastDim<A extends Dim, B extends Dim> =
  Identical<A, B> extends true
    ? A
    : [A] extends [1]
      ? B
      : [B] extends [1]
        ? A
        : IsUnknown<A> extends true
          ? B
          : IsUnknown<B> extends true
            ? A
            : [A] extends [B]
              ? A
              : [B] extends [A]
                ? B
                : null;

type BroadcastAxes<A extends Shape, B extends Shape, Out extends Shape = []> = A extends readonly [
  ...infer AI extends Shape,
  infer AL extends Dim,
]
  ? B extends readonly [...infer BI extends Shape, infer BL extends Dim]
    ? BroadcastDim<AL, BL> extends infer D extends Dim
      ? BroadcastAxes<AI, BI, [D, ...Out]>
      : Mismatch
    : [...A, ...Out]
  : [...B, ...Out];

/** Stands for the result of operands that do not fit. No shape is assignable to it, not even a generic one. */
export interface Mismatch extends ReadonlyArray<Dim> {
  readonly mismatch: true;
}

/** The shape two operands broadcast to by numpy's rules, or {@link Mismatch}. */
export type Broadcast<A extends Shape, B extends Shape> =
  IsOpen<A> extends true
    ? Dim[]
    : IsOpen<B> extends true
      ? Dim[]
      : Identical<A, B> extends true
        ? [...A]
        : BroadcastAxes<A, B>;

/** A computed shape, or an unknown one after a mistake that has been reported already. */
export type Known<S extends Shape> = S extends Mismatch ? Dim[] : S;

/** `unknown` (no constraint) when operands broadcast, else the message. */
export type Broadcastable<Op extends string, A extends Shape, B extends Shape> =
  Broadcast<A, B> extends Mismatch ? `${Op}: cannot broadcast ${Show<A>} with ${Show<B>}` : unknown;

/** Legal axes of a shape: -rank … rank - 1. */
export type Axis<S extends Shape> =
  IsOpen<S> extends true ? number : S['length'] extends keyof Axes ? Axes[S['length']] : number;
interface Axes {
  0: never;
  1: 0 | -1;
  2: 0 | 1 | -1 | -2;
  3: 0 | 1 | 2 | -1 | -2 | -3;
  4: 0 | 1 | 2 | 3 | -1 | -2 | -3 | -4;
  5: 0 | 1 | 2 | 3 | 4 | -1 | -2 | -3 | -4 | -5;
  6: 0 | 1 | 2 | 3 | 4 | 5 | -1 | -2 | -3 | -4 | -5 | -6;
}

/** Positions counted from the end: `FromEnd[rank][n]` is `rank - n`. */
interface FromEnd {
  1: [never, 0];
  2: [never, 1, 0];
  3: [never, 2, 1, 0];
  4: [never, 3, 2, 1, 0];
  5: [never, 4, 3, 2, 1, 0];
  6: [never, 5, 4, 3, 2, 1, 0];
  7: [never, 6, 5, 4, 3, 2, 1, 0];
}

/** A non-negative axis. */
export type Index<Rank extends number, A extends number> = A extends number
  ? `${A}` extends `-${infer P}`
    ? Rank extends keyof FromEnd
      ? P extends keyof FromEnd[Rank]
        ? FromEnd[Rank][P] & number
        : number
      : number
    : A
  : never;

/** The extent of an axis. */
export type At<S extends Shape, A extends number> = S[Index<S['length'], A>] & Dim;

export type SetAt<S extends Shape, A extends number, D extends Dim> = number extends A
  ? { -readonly [K in keyof S]: Dim }
  : { -readonly [K in keyof S]: K extends `${Index<S['length'], A>}` ? D : S[K] };

/** Without the axes at the given non-negative positions. */
type Drop<
  S extends Shape,
  I extends number,
  Position extends 0[] = [],
  Out extends Dim[] = [],
> = S extends readonly [infer H extends Dim, ...infer T extends Shape]
  ? Drop<T, I, [...Position, 0], Position['length'] extends I ? Out : [...Out, H]>
  : Out;

export type RemoveAt<S extends Shape, A extends number> =
  IsOpen<S> extends true ? Dim[] : number extends A ? Dim[] : Drop<S, Index<S['length'], A>>;

/** With an axis of extent 1 before position `I` (non-negative). */
type Insert<S extends Shape, I extends number, Out extends Dim[] = []> = Out['length'] extends I
  ? [...Out, 1, ...S]
  : S extends readonly [infer H extends Dim, ...infer T extends Shape]
    ? Insert<T, I, [...Out, H]>
    : Dim[];
export type Unsqueeze<S extends Shape, A extends number> =
  IsOpen<S> extends true ? Dim[] : number extends A ? Dim[] : Insert<S, Index<[...S, 1]['length'], A>>;

export type Swap<S extends Shape, A extends number, B extends number> =
  IsOpen<S> extends true
    ? Dim[]
    : {
        -readonly [K in keyof S]: K extends `${Index<S['length'], A>}`
          ? At<S, B>
          : K extends `${Index<S['length'], B>}`
            ? At<S, A>
            : S[K];
      };

export type Permute<S extends Shape, P extends readonly number[]> =
  IsOpen<S> extends true ? Dim[] : { -readonly [K in keyof P]: S[Index<S['length'], P[K]>] & Dim };

/** `unknown` when `P` names every axis of `S` once, else the message. */
export type Permutation<S extends Shape, P extends readonly number[]> =
  IsOpen<S> extends true
    ? unknown
    : number extends P[number] | P['length']
      ? unknown
      : P['length'] extends S['length']
        ? Drop<S, Index<S['length'], P[number]>> extends readonly []
          ? unknown
          : `permute: the axes of ${Show<S>} must each be named once`
        : `permute: ${Show<S>} has ${S['length']} axes, got ${P['length']}`;

/** The result of reducing axes; every axis when `A` is `undefined`. */
export type Reduce<S extends Shape, A, Keep extends boolean> =
  IsOpen<S> extends true
    ? Dim[]
    : A extends undefined
      ? Keep extends true
        ? { -readonly [K in keyof S]: 1 }
        : []
      : AxisOf<A> extends infer I extends number
        ? number extends I
          ? Dim[]
          : Keep extends true
            ? SetAt<S, I, 1>
            : RemoveAt<S, I>
        : Dim[];
type AxisOf<A> = A extends readonly (infer I)[] ? I : A;

// Reshape: what both sides share is cancelled; names left over on one side are a mistake, numbers left over multiply out.

type WithoutFirst<S extends Shape, D extends Dim, Seen extends Dim[] = []> = S extends readonly [
  infer H extends Dim,
  ...infer T extends Shape,
]
  ? Identical<H, D> extends true
    ? [...Seen, ...T]
    : WithoutFirst<T, D, [...Seen, H]>
  : null;

/** What is left of both shapes after cancelling common dimensions and ones: [rest of A, rest of B]. */
type Cancel<A extends Shape, B extends Shape, Rest extends Dim[] = []> = A extends readonly [
  infer H extends Dim,
  ...infer T extends Shape,
]
  ? H extends 1
    ? Cancel<T, B, Rest>
    : WithoutFirst<B, H> extends infer U extends Shape
      ? Cancel<T, U, Rest>
      : Cancel<T, B, [...Rest, H]>
  : [Rest, B];

/** Names that are products or sums are left to the tracer. */
type IsCompound<D> = D extends `${string}*${string}` | `${string}+${string}` ? true : false;
type Undecidable<S extends Shape> = true extends {
  [K in keyof S]: IsUnknown<S[K]> extends true ? true : IsCompound<S[K]>;
}[number]
  ? true
  : false;

type Balanced<A extends Shape, B extends Shape> =
  Cancel<A, B> extends [infer RA extends Shape, infer RB extends Shape]
    ? -1 extends RB[number]
      ? Exclude<RB[number], -1> extends number
        ? true
        : false
      : RA extends readonly number[]
        ? RB extends readonly number[]
          ? Identical<Product<RA>, Product<RB>>
          : false
        : false
    : false;

/** `unknown` when the element counts agree (as far as known), else the message. */
export type Reshapable<A extends Shape, B extends Shape> =
  IsOpen<A> extends true
    ? unknown
    : IsOpen<B> extends true
      ? unknown
      : Undecidable<A> extends true
        ? unknown
        : Undecidable<B> extends true
          ? unknown
          : Balanced<A, B> extends true
            ? unknown
            : `reshape: ${Show<A>} and ${Show<B>} have different numbers of elements`;

/** The extent -1 stands for: the product of what is left, where it is a literal; unknown otherwise. */
type Inferred<A extends Shape, B extends Shape> =
  Undecidable<A> extends true
    ? Dim
    : Undecidable<B> extends true
      ? Dim
      : Cancel<A, B> extends [infer RA extends Shape, infer RB extends Shape]
        ? WithoutFirst<RB, -1> extends readonly []
          ? RA extends readonly number[]
            ? Product<RA>
            : RA extends readonly [infer D extends Dim]
              ? D
              : Dim
          : Dim
        : Dim;
export type Reshaped<A extends Shape, B extends Shape> =
  IsOpen<B> extends true
    ? Dim[]
    : -1 extends B[number]
      ? { -readonly [K in keyof B]: B[K] extends -1 ? (IsOpen<A> extends true ? Dim : Inferred<A, B>) : B[K] }
      : [...B];

// Contractions.

// Patterns match `unknown`, not `Dim`: TypeScript cannot tell that a type parameter is a `Dim` while it resolves them.
type AsShape<T extends readonly unknown[]> = { -readonly [K in keyof T]: T[K] & Dim };
type Last<S extends Shape> = S extends readonly [...unknown[], infer D] ? D & Dim : Dim;
type Init<S extends Shape> = S extends readonly [...infer L, unknown] ? AsShape<L> : Dim[];
export type ReplaceLast<S extends Shape, D extends Dim> = IsOpen<S> extends true ? Dim[] : [...Init<S>, D];
export type LastOf<S extends Shape> = IsOpen<S> extends true ? Dim : Last<S>;

/** The shape of a matrix product, or {@link Mismatch}. */
export type MatMul<A extends Shape, B extends Shape> =
  IsOpen<A> extends true
    ? Dim[]
    : IsOpen<B> extends true
      ? Dim[]
      : A extends readonly [...infer BA, infer M, unknown]
        ? B extends readonly [...infer BB, unknown, infer N]
          ? Broadcast<AsShape<BA>, AsShape<BB>> extends Mismatch
            ? Mismatch
            : [...Broadcast<AsShape<BA>, AsShape<BB>>, M & Dim, N & Dim]
          : Mismatch
        : Mismatch;
export type Multipliable<A extends Shape, B extends Shape> =
  IsOpen<A> extends true
    ? unknown
    : IsOpen<B> extends true
      ? unknown
      : A extends readonly [...unknown[], unknown, infer K]
        ? B extends readonly [...unknown[], infer L, unknown]
          ? Same<K & Dim, L & Dim> extends true
            ? MatMul<A, B> extends Mismatch
              ? `matmul: cannot broadcast the leading axes of ${Show<A>} with ${Show<B>}`
              : unknown
            : `matmul: contracted extents differ: ${Show<A>} · ${Show<B>}`
          : `matmul: expected matrices (rank ≥ 2), got ${Show<B>}`
        : `matmul: expected matrices (rank ≥ 2), got ${Show<A>}`;

/** `unknown` when a vector `W` fits the last axis of `X`, else the message. */
export type FitsLast<Op extends string, X extends Shape, W extends Shape> =
  IsOpen<X> extends true
    ? unknown
    : IsOpen<W> extends true
      ? unknown
      : W extends readonly [infer D extends Dim]
        ? Same<LastOf<X>, D> extends true
          ? unknown
          : `${Op}: expected parameters [${ShowDim<LastOf<X>>}] for ${Show<X>}, got ${Show<W>}`
        : `${Op}: expected parameters [${ShowDim<LastOf<X>>}] for ${Show<X>}, got ${Show<W>}`;

// Views by extent 1.

/** The target of an expansion; -1 keeps an extent. */
export type Expanded<S extends Shape, T extends Shape> = -1 extends T[number]
  ? { -readonly [K in keyof T]: T[K] extends -1 ? (K extends keyof S ? S[K] & Dim : Dim) : T[K] }
  : [...T];
/** `unknown` when `S` broadcasts to the target, else the message. */
export type Expandable<S extends Shape, T extends Shape> =
  Broadcast<S, Expanded<S, T>> extends Mismatch ? `expand: cannot expand ${Show<S>} to ${Show<T>}` : unknown;

/** `unknown` when the axis may have extent 1, else the message. */
export type Squeezable<S extends Shape, A extends number> =
  IsOpen<S> extends true
    ? unknown
    : number extends A
      ? unknown
      : Same<At<S, A>, 1> extends true
        ? unknown
        : `squeeze: expected extent 1 on axis ${Index<S['length'], A>}, got ${ShowDim<At<S, A>>} in ${Show<S>}`;

// Concatenation.

export type AddDim<A extends Dim, B extends Dim> =
  IsUnknown<A> extends true
    ? A
    : IsUnknown<B> extends true
      ? B
      : A extends number
        ? B extends number
          ? Sum<A, B>
          : string
        : string;

export type First<T extends readonly Shape[]> = T extends readonly [infer F extends Shape, ...unknown[]]
  ? F
  : Dim[];

type SameExcept<A extends Shape, B extends Shape, I extends number> = A['length'] extends B['length']
  ? false extends {
      [K in keyof A]: K extends `${I}` ? true : K extends keyof B ? Same<A[K], B[K] & Dim> : true;
    }[number]
    ? false
    : true
  : false;

export type Concat<
  T extends readonly Shape[],
  A extends number,
  Out extends Shape = Mismatch,
> = T extends readonly [infer H extends Shape, ...infer R extends readonly Shape[]]
  ? IsOpen<H> extends true
    ? Dim[]
    : Concat<R, A, Out extends Mismatch ? [...H] : SetAt<Out, A, AddDim<At<Out, A>, At<H, A>>>>
  : T extends readonly []
    ? Out
    : Dim[];

/** Per operand: `unknown` when it agrees with the first outside the axis, else the message. */
export type Concatenable<First extends Shape, S extends Shape, A extends number> =
  IsOpen<First> extends true
    ? unknown
    : IsOpen<S> extends true
      ? unknown
      : SameExcept<First, S, Index<First['length'], A>> extends true
        ? unknown
        : `concat: shapes must agree outside axis ${Index<First['length'], A>}: ${Show<First>} and ${Show<S>}`;

/** The extent of `start … stop`. */
export type SliceDim<D extends Dim, Start extends Dim, Stop extends Dim | undefined> = Start extends 0
  ? Stop extends undefined
    ? D
    : Stop extends number
      ? `${Stop}` extends `-${string}`
        ? Dim
        : Stop
      : Stop & Dim
  : Dim;

/** A tuple of `N` copies of `T`; an array when `N` is not a literal. */
export type Repeat<T, N extends number, Out extends T[] = []> = number extends N
  ? T[]
  : `${N}` extends `-${string}` | `${string}.${string}`
    ? T[]
    : Out['length'] extends N
      ? Out
      : Repeat<T, N, [...Out, T]>;
