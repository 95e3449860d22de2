/** Shapes of views and concatenations, as types. */
import type { At, Index, SetAt } from './axes.ts';
import type { Product, Sum } from './product.ts';
import type {
  Broadcast,
  Dim,
  Identical,
  IsOpen,
  IsUnknown,
  Mismatch,
  Same,
  Shape,
  Show,
  ShowDim,
} from './shape.ts';

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

type AddDim<A extends Dim, B extends Dim> =
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
