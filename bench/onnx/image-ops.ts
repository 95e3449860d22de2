import { UnsupportedError } from '../../src/errors.ts';
import type { OpNode } from '../../src/ir/node.ts';
import { numberAttr, numbersAttr } from '../../src/ir/ops/support.ts';
import type { Attributes, Builder } from './builder.ts';
import type { Operand } from './ops.ts';

/** Ops on images [batch, channels, rows, columns], as `translateOp` does; undefined for any other. */
export function translateImageOp(
  node: OpNode,
  operands: readonly [Operand, ...Operand[]],
  to: Builder,
): string | undefined {
  const { op, attrs } = node;
  const [x, weight] = operands;
  const given = operands.map(({ name }) => name);
  switch (op) {
    case 'conv2d':
      return to.add('Conv', given, { ...windowOf(node), group: { int: groupsOf(x, weight as Operand) } });
    case 'maxPool2d':
      return to.add('MaxPool', given, { ...windowOf(node), ...kernelOf(node) });
    case 'avgPool2d':
      return to.add('AveragePool', given, {
        ...windowOf(node),
        ...kernelOf(node),
        count_include_pad: { int: attrs.countIncludePad === false ? 0 : 1 },
      });
    case 'upsampleNearest2d': {
      const scale = numberAttr(attrs, 'scale');
      return to.add('Resize', [...given, '', to.float([4], [1, 1, scale, scale])], {
        mode: { text: 'nearest' },
        coordinate_transformation_mode: { text: 'asymmetric' },
        nearest_mode: { text: 'floor' },
      });
    }
    case 'groupNorm':
      return groupNorm(node, x, given, to);
    default:
      return undefined;
  }
}

/** Paddings are ours by axis (top, bottom, left, right) and ONNX's by side (top, left, bottom, right). */
function windowOf({ op, id, attrs }: OpNode): Attributes {
  const given = numbersAttr(attrs, 'padding');
  const [top, bottom, left, right] = (
    given.length === 2 ? [given[0], given[0], given[1], given[1]] : given
  ) as [number, number, number, number];
  if ([top, bottom, left, right].some((side) => side < 0))
    throw new UnsupportedError(`${op} (${id}): ONNX has no negative padding, got [${given.join(', ')}]`);
  const pair = (name: string) => (name in attrs ? numbersAttr(attrs, name) : [1, 1]);
  return {
    pads: { ints: [top, left, bottom, right] },
    strides: { ints: pair('stride') },
    dilations: { ints: pair('dilation') },
  };
}

const kernelOf = ({ attrs }: OpNode): Attributes => ({
  kernel_shape: { ints: numbersAttr(attrs, 'kernel') },
});

/** Groups follow from the channels of input and weight. */
const groupsOf = (x: Operand, weight: Operand): number =>
  (x.shape[1] as number) / (weight.shape[1] as number);

/** As exporters write it: instances are the groups, weight and bias follow by channel. */
function groupNorm({ attrs }: OpNode, x: Operand, given: readonly string[], to: Builder): string {
  const [batch, channels, ...rest] = x.shape as [number, number, ...number[]];
  const [image, weight, bias] = given as [string, string, string];
  const groups = channels / numberAttr(attrs, 'channelsPerGroup');
  const grouped = to.add('Reshape', [image, to.int64([batch, groups, -1])]);
  const ones = to.float([groups], new Array<number>(groups).fill(1));
  const zeros = to.float([groups], new Array<number>(groups).fill(0));
  const normal = to.add('InstanceNormalization', [grouped, ones, zeros], {
    epsilon: { float: numberAttr(attrs, 'epsilon') },
  });
  const back = to.add('Reshape', [normal, to.int64(x.shape)]);
  const byChannel = to.int64([channels, ...rest.map(() => 1)]);
  const scaled = to.add('Mul', [back, to.add('Reshape', [weight, byChannel])]);
  return to.add('Add', [scaled, to.add('Reshape', [bias, byChannel])]);
}
