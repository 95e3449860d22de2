import { invariant } from '../../../errors.ts';
import type { Convolution } from '../../tuned.ts';
import type { View3 } from '../../view3.ts';
import type { ConvolutionParameters } from './parameters.ts';

const FLOAT = 4;

/**
 * A convolution as a batch of products, one a group: A is the weight, its rows the output channels; the columns of B are
 * what the windows see, see `defineWindows`.
 */
export function convolutionParameters(convolution: Convolution<View3>): ConvolutionParameters {
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
    a: weight.base * FLOAT,
    aBatch: rows * weight.strides[0] * FLOAT,
    aRow: weight.strides[0] * FLOAT,
    aK: weight.strides[1] * FLOAT,
    aTap: weight.strides[2] * FLOAT,
    b: image.base * FLOAT,
    bBatch: channels * image.strides[0] * FLOAT,
    bColumn: image.strides[2] * FLOAT,
    bK: image.strides[0] * FLOAT,
    c: out.base * FLOAT,
    cBatch: rows * ofChannel * FLOAT,
    cRow: ofChannel * FLOAT,
    cColumn: ofPlace * FLOAT,
    cLine: places,
    cGap: lines === 1 ? 0 : (ofLine - places * ofPlace) * FLOAT,
    bias: (bias?.base ?? 0) * FLOAT,
    biasBatch: rows * (bias?.strides[2] ?? 0) * FLOAT,
    biasRow: (bias?.strides[2] ?? 0) * FLOAT,
    biasColumn: 0,
    channels,
    kernelColumns,
    imageRows: image.extents[1],
    imageColumns: image.extents[2],
    imageRow: image.strides[1] * FLOAT,
    placesInLine: places,
    strideRow: stride[0],
    strideColumn: stride[1],
    paddingTop: padding[0],
    paddingLeft: padding[1],
    dilationRow: dilation[0],
    dilationColumn: dilation[1],
  };
}
