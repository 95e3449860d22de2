/** Shapes of einsum, as types. */
import type { Dim, IsOpen, Same, Shape, Show, ShowDim } from './shape.ts';

type Characters<T extends string, Out extends string[] = []> = T extends `${infer H}${infer Rest}`
  ? Characters<Rest, [...Out, H]>
  : Out;

/** [labels of the first operand, of the second one, of the result]; null for what only the tracer reads. */
type Terms<E extends string> = string extends E
  ? null
  : E extends `${string}${' ' | '.'}${string}`
    ? null
    : E extends `${infer A},${infer B}->${infer C}`
      ? [Characters<A>, Characters<B>, Characters<C>]
      : null;

/** The extent that a label has in a shape; null where it has none. */
type Find<L extends readonly string[], S extends Shape, Label extends string> = L extends readonly [
  infer H,
  ...infer T extends string[],
]
  ? S extends readonly [infer D extends Dim, ...infer R extends Shape]
    ? H extends Label
      ? D
      : Find<T, R, Label>
    : null
  : null;

type ResultDims<
  C extends readonly string[],
  LA extends string[],
  A extends Shape,
  LB extends string[],
  B extends Shape,
> = {
  -readonly [K in keyof C]: Find<LA, A, C[K] & string> extends infer D extends Dim
    ? D
    : Find<LB, B, C[K] & string> extends infer D extends Dim
      ? D
      : Dim;
};

export type Einsum<E extends string, A extends Shape, B extends Shape> =
  IsOpen<A> extends true
    ? Dim[]
    : IsOpen<B> extends true
      ? Dim[]
      : Terms<E> extends [infer LA extends string[], infer LB extends string[], infer C extends string[]]
        ? ResultDims<C, LA, A, LB, B>
        : Dim[];

/** The first label whose extents differ, as the message. */
type Clash<LA extends string[], A extends Shape, LB extends string[], B extends Shape> = LA extends [
  infer H extends string,
  ...infer T extends string[],
]
  ? A extends readonly [infer D extends Dim, ...infer R extends Shape]
    ? Find<LB, B, H> extends infer F extends Dim
      ? Same<D, F> extends true
        ? Clash<T, R, LB, B>
        : `einsum: ${H} is ${ShowDim<D>} in the first operand and ${ShowDim<F>} in the second`
      : Clash<T, R, LB, B>
    : unknown
  : unknown;

type Names<L extends string[], S extends Shape> = L['length'] extends S['length']
  ? unknown
  : `einsum: the equation names ${L['length']} axes of ${Show<S>}, which has ${S['length']}`;

/** `unknown` when the first operand has the axes of the equation, else the message. */
export type FitsFirst<E extends string, A extends Shape> =
  IsOpen<A> extends true
    ? unknown
    : Terms<E> extends [infer LA extends string[], string[], string[]]
      ? Names<LA, A>
      : unknown;

/** `unknown` when the second operand has the axes of the equation with the extents of the first, else the message. */
export type FitsSecond<E extends string, A extends Shape, B extends Shape> =
  IsOpen<B> extends true
    ? unknown
    : Terms<E> extends [infer LA extends string[], infer LB extends string[], string[]]
      ? LB['length'] extends B['length']
        ? IsOpen<A> extends true
          ? unknown
          : Clash<LA, A, LB, B>
        : Names<LB, B>
      : unknown;
