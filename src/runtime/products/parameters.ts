/** What a product consists of, in order: extents, first elements and strides. */
export const PRODUCT = [
  'rows',
  'columns',
  'k',
  'accumulate',
  'a',
  'aBatch',
  'aRow',
  'aK',
  'b',
  'bBatch',
  'bColumn',
  'bK',
  'c',
  'cBatch',
  'cRow',
  'cColumn',
  /** Columns of C lie in lines of so many, and the next line starts so far after the end of one. */
  'cLine',
  'cGap',
  'bias',
  'biasBatch',
  'biasRow',
  'biasColumn',
  /** Row i sees so many columns and terms of a sum and i more. */
  'columnsSeen',
  'termsSeen',
] as const;

/** Lanes of a lanewise product. */
export const LANEWISE = ['lanes'] as const;

/** What a convolution has besides; its rows are output channels, its columns places, its k taps of channels. */
export const CONVOLUTION = [
  'channels',
  'kernelColumns',
  'aTap',
  'imageRows',
  'imageColumns',
  'imageRow',
  'placesInLine',
  'strideRow',
  'strideColumn',
  'paddingTop',
  'paddingLeft',
  'dilationRow',
  'dilationColumn',
] as const;

type Named<Names extends readonly string[]> = { readonly [name in Names[number]]: number };

export type ProductParameters = Named<typeof PRODUCT>;
export type LanewiseParameters = ProductParameters & Named<typeof LANEWISE>;
export type ConvolutionParameters = ProductParameters & Named<typeof CONVOLUTION>;

/** Rows see all there is: more than any matrix has. */
export const ALL_SEEN = { columnsSeen: 2 ** 30, termsSeen: 2 ** 30 } as const;

/** How a backend counts addresses and what it takes for narrow. */
export interface Form {
  /** What one element adds to an address: 4 in bytes, 1 in elements. */
  readonly unit: number;
  /** A product with fewer columns than this, and fewer than rows, is turned over. */
  readonly narrow: number;
}
