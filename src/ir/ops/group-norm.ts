import { type Dim, divDims, printShape } from '../dims.ts';
import type { Attrs, TensorType } from '../node.ts';
import { pattern } from '../pattern.ts';
import { check, type OpDef } from './op.ts';
import { axes, axisNames, count, markWhole, numberAttr, take } from './support.ts';

/** Groups are told by their size, so that a part of the groups has the same attributes as all of them. */
export function groupsOf(
  op: string,
  [x, ...parameters]: readonly [TensorType, ...TensorType[]],
  attrs: Attrs,
) {
  const { shape } = x;
  check(
    shape.length >= 2 && shape.length <= 4,
    op,
    () => `expected [batch, channels] with up to two more axes, got ${printShape(shape)}`,
  );
  const size = numberAttr(attrs, 'channelsPerGroup');
  const groups = divDims(shape[1] as number | string, size);
  check(groups !== undefined, op, () => `${shape[1]} channels are no whole number of groups of ${size}`);
  for (const parameter of parameters) {
    check(
      parameter.shape.length === 1 && parameter.shape[0] === shape[1],
      op,
      () => `expected parameters [${shape[1]}] for ${printShape(shape)}, got ${printShape(parameter.shape)}`,
    );
  }
  return { groups, size };
}

const groupNorm: OpDef = {
  name: 'groupNorm',
  summary: 'groups of channels shifted to mean 0 and scaled to variance 1, then weight and bias by channel',
  defaults: { epsilon: 1e-5 },
  infer(operands, attrs) {
    const taken = take('groupNorm', operands, 3);
    groupsOf('groupNorm', taken, attrs);
    return { shape: taken[0].shape, dtype: 'f32' };
  },
  access(operands, attrs, out) {
    const { groups, size } = groupsOf('groupNorm', take('groupNorm', operands, 3), attrs);
    const rest = axisNames(out.shape.length - 2);
    const image = axes(
      'batch',
      '(group channel!)',
      ...rest.map((_, axis) => markWhole(rest, axis)[axis] as string),
    );
    return pattern(
      `${image}, (group channel!), (group channel!) -> ${image}`,
      operands.map((operand) => operand.shape),
      out.shape,
      { extents: { group: groups, channel: size } },
    );
  },
  flops: (_operands, _attrs, out) => 8 * count(out.shape),
  inPlace: [0],
  /** Sum of every channel; mean and reciprocal standard deviation of every group. */
  scratch(_operands, attrs, out) {
    const [batch, channels] = out.shape as readonly [Dim, Dim];
    const groups = divDims(channels, numberAttr(attrs, 'channelsPerGroup')) as Dim;
    return [
      [batch, channels],
      [batch, groups],
      [batch, groups],
    ];
  },
  reference(operands, attrs, shape) {
    const [x, weight, bias] = take('groupNorm', operands, 3);
    const inner = count(shape.slice(2));
    const length = numberAttr(attrs, 'channelsPerGroup') * inner;
    const channels = shape[1] as number;
    const out = new Float64Array(x.data.length);
    for (let start = 0; start < out.length; start += length) {
      const group = x.data.subarray(start, start + length);
      const mean = group.reduce((a, b) => a + b, 0) / length;
      const variance = group.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length;
      const scale = 1 / Math.sqrt(variance + numberAttr(attrs, 'epsilon'));
      for (let i = 0; i < length; i++) {
        const channel = Math.floor((start + i) / inner) % channels;
        out[start + i] =
          ((group[i] as number) - mean) * scale * (weight.data[channel] as number) +
          (bias.data[channel] as number);
      }
    }
    return out;
  },
};

export const groupNormOps: readonly OpDef[] = [groupNorm];
