/**
 * Shapes as types. A literal number is a known extent, a literal name such as `'N'` a dimension equal only to itself;
 * `number`, `string` or an array of unknown length are unknown here and checked when the model is traced.
 *
 * A mistake is reported at the argument that does not fit: the parameter's type becomes the message.
 */
import type { Dim, Shape } from '../ir/dims.ts';

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
export type Identical<A, B> = Box<A> extends Box<B> ? (Box<B> extends Box<A> ? true : false) : false;

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
