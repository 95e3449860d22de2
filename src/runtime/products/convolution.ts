import { invariant } from '../../errors.ts';
import type { Convolution } from '../tuned.ts';
import type { View3 } from '../view3.ts';
import { ALL_SEEN, type ConvolutionParameters, type Form } from './parameters.ts';

/**
 * A convolution as a batch of products, one a group: A is the weight, its rows the output channels; the columns of B are
 * what the windows see.
 */
export function convolutionParameters(
  convolution: Convolution<View3>,
  { unit }: Pick<Form, 'unit'>,
): ConvolutionParameters {
  const { out, image, weight, bias, groups, kernelColumns, stride, dilation, padding } = convolution;
  const [outChannels, lines, places] = out.extents;
  const [, channels, taps] = weight.extents;
  const [ofChannel, ofLine, ofPlace] = out.strides;
  const rows = outChannels / groups;
  invariant(
    Number.isInteger(rows) && image.extents[0] === groups * channels && taps % kernelColumns === 0,
    () => `convolve: [${weight.extents}] over [${image.extents}] does not make [${out.extents}]`,
  );
  return {
    rows,
    columns: lines * places,
    k: channels * taps,
    accumulate: Number(convolution.accumulate === true),
    a: weight.base * unit,
    aBatch: rows * weight.strides[0] * unit,
    aRow: weight.strides[0] * unit,
    aK: weight.strides[1] * unit,
    aTap: weight.strides[2] * unit,
    b: image.base * unit,
    bBatch: channels * image.strides[0] * unit,
    bColumn: image.strides[2] * unit,
    bK: image.strides[0] * unit,
    c: out.base * unit,
    cBatch: rows * ofChannel * unit,
    cRow: ofChannel * unit,
    cColumn: ofPlace * unit,
    cLine: places,
    cGap: lines === 1 ? 0 : (ofLine - places * ofPlace) * unit,
    bias: (bias?.base ?? 0) * unit,
    biasBatch: rows * (bias?.strides[2] ?? 0) * unit,
    biasRow: (bias?.strides[2] ?? 0) * unit,
    biasColumn: 0,
    ...ALL_SEEN,
    channels,
    kernelColumns,
    imageRows: image.extents[1],
    imageColumns: image.extents[2],
    imageRow: image.strides[1] * unit,
    placesInLine: places,
    strideRow: stride[0],
    strideColumn: stride[1],
    paddingTop: padding[0],
    paddingLeft: padding[1],
    dilationRow: dilation[0],
    dilationColumn: dilation[1],
  };
}
