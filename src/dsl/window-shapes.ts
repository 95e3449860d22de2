/** Shapes of convolutions and pooling, as types. */
import type { Dim, IsOpen, Same, Shape, Show, ShowDim } from './shape.ts';

/** One number for rows and columns, or one each. */
export type Pair = number | readonly [rows: number, columns: number];

/** Padding: one number for all sides, one for rows and one for columns, or one for each side. */
export type Padding = Pair | readonly [top: number, bottom: number, left: number, right: number];

/** `unknown` for a shape [batch, channels, rows, columns], else the message. */
export type IsImage<Op extends string, X extends Shape> =
  IsOpen<X> extends true
    ? unknown
    : X['length'] extends 4
      ? unknown
      : `${Op}: expected an image [batch, channels, rows, columns], got ${Show<X>}`;

/** An extent of which only the kind is known. */
type Some<D extends Dim> = D extends number ? number : string;
type At<S extends Shape, I extends number> = IsOpen<S> extends true ? Dim : S[I] & Dim;

type Option<O, K extends string, Default> = K extends keyof O ? O[K] : Default;
/** The padding with which a window of this size has as many places as there are elements. */
interface HalfOf {
  1: 0;
  3: 1;
  5: 2;
  7: 3;
  9: 4;
  11: 5;
}

/** The same padding on all sides. */
type AllSides<P extends number> = P | readonly [P, P] | readonly [P, P, P, P];

/** Do rows and columns stay as many? `false` also where that is not known. */
export type Keeps<K, O> = [Option<O, 'stride', 1>] extends [1]
  ? [Option<O, 'dilation', 1>] extends [1]
    ? K extends keyof HalfOf
      ? [Option<O, 'padding', 0>] extends [AllSides<HalfOf[K]>]
        ? true
        : false
      : false
    : false
  : false;

/** An image with other channels, rows and columns. */
export type Slid<X extends Shape, Channels extends Dim, Keep extends boolean> =
  IsOpen<X> extends true
    ? [Dim, Channels, Dim, Dim]
    : [
        At<X, 0>,
        Channels,
        Keep extends true ? At<X, 2> : Some<At<X, 2>>,
        Keep extends true ? At<X, 3> : Some<At<X, 3>>,
      ];

/** `unknown` when a weight of `I` input channels a group fits the channels of `X`; groups are left to the tracer. */
export type FitsChannels<Op extends string, X extends Shape, W extends Shape, I extends Dim, O> =
  IsOpen<X> extends true
    ? unknown
    : [Option<O, 'groups', 1>] extends [1]
      ? Same<At<X, 1>, I> extends true
        ? unknown
        : `${Op}: expected ${ShowDim<I>} channels for weight ${Show<W>}, got ${Show<X>}`
      : unknown;

/** `unknown` when a vector has one element a channel, else the message. */
export type PerChannel<Op extends string, C extends Dim, B extends Shape> =
  IsOpen<B> extends true
    ? unknown
    : B extends readonly [infer D]
      ? Same<C, D & Dim> extends true
        ? unknown
        : `${Op}: expected [${ShowDim<C>}], got ${Show<B>}`
      : `${Op}: expected [${ShowDim<C>}], got ${Show<B>}`;

export type ChannelsOf<X extends Shape> = At<X, 1>;
