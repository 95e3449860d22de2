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

export type DispatchParameters = { readonly [name in (typeof DISPATCH)[number]]: number };

/** The uniform block `p` of a shader; addresses and strides count elements. */
export const DECLARATION = `struct Parameters {
${NAMES.map((name) => `  ${name} : i32,`).join('\n')}
}
@group(0) @binding(0) var<uniform> p : Parameters;`;

/** Writes a uniform block from `words[start]` on. What a shader does not read is left as it is. */
export function writeBlock(
  words: Int32Array,
  start: number,
  parameters: ProductParameters | LanewiseParameters | ConvolutionParameters,
  dispatch: DispatchParameters,
): void {
  let at = start;
  for (const name of DISPATCH) words[at++] = dispatch[name];
  for (const name of PRODUCT) words[at++] = parameters[name];
  if ('lanes' in parameters) words[at] = parameters.lanes;
  at += LANEWISE.length;
  if ('channels' in parameters) for (const name of CONVOLUTION) words[at++] = parameters[name];
}
