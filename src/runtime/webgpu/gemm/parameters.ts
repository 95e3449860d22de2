import {
  CONVOLUTION,
  type ConvolutionParameters,
  LANEWISE,
  type LanewiseParameters,
  PRODUCT,
  type ProductParameters,
} from '../../products/parameters.ts';

/** What a dispatch has besides: how many products, whether there is a bias, and which is its first workgroup. */
const DISPATCH = ['batch', 'biased', 'firstX', 'firstY', 'firstZ'] as const;

const NAMES = [...DISPATCH, ...PRODUCT, ...LANEWISE, ...CONVOLUTION] as const;
const WORDS = Math.ceil(NAMES.length / 4) * 4;
export const BLOCK_BYTES = WORDS * 4;

type Parameters = ProductParameters | LanewiseParameters | ConvolutionParameters;
export type DispatchParameters = { readonly [name in (typeof DISPATCH)[number]]: number };

/** The uniform block `p` of a shader; addresses and strides count elements. */
export const DECLARATION = `struct Parameters {
${NAMES.map((name) => `  ${name} : i32,`).join('\n')}
}
@group(0) @binding(0) var<uniform> p : Parameters;`;

/** Writes a uniform block whose first word is `words[start]`. */
export function writeBlock(
  words: Int32Array,
  start: number,
  parameters: Parameters,
  dispatch: DispatchParameters,
): void {
  const given: { readonly [name in (typeof NAMES)[number]]?: number } = parameters;
  for (let i = 0; i < NAMES.length; i++) words[start + i] = given[NAMES[i] as (typeof NAMES)[number]] ?? 0;
  for (let i = 0; i < DISPATCH.length; i++) {
    words[start + i] = dispatch[DISPATCH[i] as (typeof DISPATCH)[number]];
  }
}
