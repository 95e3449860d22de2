/** Exact arithmetic on literal extents at the type level, digit by digit, least significant first. Types only. */

type Units = {
  '0': [];
  '1': [0];
  '2': [0, 0];
  '3': [0, 0, 0];
  '4': [0, 0, 0, 0];
  '5': [0, 0, 0, 0, 0];
  '6': [0, 0, 0, 0, 0, 0];
  '7': [0, 0, 0, 0, 0, 0, 0];
  '8': [0, 0, 0, 0, 0, 0, 0, 0];
  '9': [0, 0, 0, 0, 0, 0, 0, 0, 0];
};
type Digit = keyof Units;
type Digits = readonly Digit[];

type Times<T extends 0[]> = {
  '0': [];
  '1': T;
  '2': [...T, ...T];
  '3': [...T, ...T, ...T];
  '4': [...T, ...T, ...T, ...T];
  '5': [...T, ...T, ...T, ...T, ...T];
  '6': [...T, ...T, ...T, ...T, ...T, ...T];
  '7': [...T, ...T, ...T, ...T, ...T, ...T, ...T];
  '8': [...T, ...T, ...T, ...T, ...T, ...T, ...T, ...T];
  '9': [...T, ...T, ...T, ...T, ...T, ...T, ...T, ...T, ...T];
};

/** How many: the sum of two or three counts. */
type Count<A extends 0[], B extends 0[], C extends 0[] = []> = [...A, ...B, ...C]['length'] & number;

/** A count below 100 as [tens, units]. */
type TwoDigits<N> = `${N & number}` extends `${infer T extends Digit}${infer U extends Digit}`
  ? [T, U]
  : ['0', `${N & number}` & Digit];

type Read<Text extends string, Out extends Digits = []> = Text extends `${infer D extends Digit}${infer Rest}`
  ? Read<Rest, [D, ...Out]>
  : Out;

type Write<D extends Digits, Out extends string = ''> = D extends readonly [
  infer H extends Digit,
  ...infer T extends Digits,
]
  ? Write<T, `${H}${Out}`>
  : Out extends `0${infer Rest}`
    ? Rest extends ''
      ? 0
      : Write<[], Rest>
    : Out extends `${infer N extends number}`
      ? N
      : 0;

type Scale<
  A extends Digits,
  By extends Digit,
  Carry extends Digit = '0',
  Out extends Digits = [],
> = A extends readonly [infer H extends Digit, ...infer T extends Digits]
  ? TwoDigits<Count<Times<Units[H]>[By], Units[Carry]>> extends [infer C extends Digit, infer U extends Digit]
    ? Scale<T, By, C, [...Out, U]>
    : never
  : [...Out, Carry];

type Plus<
  A extends Digits,
  B extends Digits,
  Carry extends Digit = '0',
  Out extends Digits = [],
> = A extends readonly [infer H extends Digit, ...infer T extends Digits]
  ? B extends readonly [infer I extends Digit, ...infer U extends Digits]
    ? TwoDigits<Count<Units[H], Units[I], Units[Carry]>> extends [
        infer C extends Digit,
        infer D extends Digit,
      ]
      ? Plus<T, U, C, [...Out, D]>
      : never
    : Plus<A, ['0'], Carry, Out>
  : B extends readonly [Digit, ...Digits]
    ? Plus<B, ['0'], Carry, Out>
    : [...Out, Carry];

type Multiply<
  A extends Digits,
  B extends Digits,
  Shift extends Digits = [],
  Out extends Digits = ['0'],
> = B extends readonly [infer H extends Digit, ...infer T extends Digits]
  ? Scale<A, H> extends infer P extends Digits
    ? Multiply<A, T, [...Shift, '0'], Plus<Out, [...Shift, ...P]>>
    : never
  : Out;

/** The product of literal numbers; 1 for none. */
export type Product<T extends readonly number[], Out extends Digits = ['1']> = T extends readonly [
  infer H extends number,
  ...infer Rest extends readonly number[],
]
  ? Product<Rest, Multiply<Out, Read<`${H}`>>>
  : Write<Out>;

/** The sum of two literal numbers. */
export type Sum<A extends number, B extends number> = Write<Plus<Read<`${A}`>, Read<`${B}`>>>;
