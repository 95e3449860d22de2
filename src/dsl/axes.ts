/** Shapes by axis, as types: positions, replacing, dropping and reordering axes. */
import type { Dim, IsOpen, Shape, Show } from './shape.ts';

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
