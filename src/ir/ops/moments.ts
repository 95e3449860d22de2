import { type Dim, divDims, printShape, type Shape } from '../dims.ts';
import type { Attrs, TensorType } from '../node.ts';
import { pattern } from '../pattern.ts';
import { groupsOf } from './group-norm.ts';
import { inferNorm } from './norm.ts';
import { check, type OpDef, type RefTensor } from './op.ts';
import { axes, axisNames, count, numberAttr, take } from './support.ts';

/** Moments of a group: how many elements, their mean, and the sum of their squared distances from it. */
const MOMENTS = 3;

const momentsShape = ([batch, channels]: Shape, attrs: Attrs): Shape => [
  batch as Dim,
  divDims(channels as Dim, numberAttr(attrs, 'channelsPerGroup')) as Dim,
  MOMENTS,
];

/** The moments of a set of numbers. */
function momentsOf(elements: Float64Array): [number, number, number] {
  const mean = elements.reduce((a, b) => a + b, 0) / elements.length;
  const squares = elements.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return [elements.length, mean, squares];
}

/** The moments of runs of `length` elements one after another. */
function momentsOfRuns(x: RefTensor, length: number, shape: readonly number[]): Float64Array {
  const out = new Float64Array(count(shape));
  for (let run = 0; run * MOMENTS < out.length; run++) {
    out.set(momentsOf(x.data.subarray(run * length, (run + 1) * length)), run * MOMENTS);
  }
  return out;
}

const momentsAt = (moments: RefTensor, at: number): [number, number, number] =>
  moments.data.subarray(at * MOMENTS, (at + 1) * MOMENTS) as unknown as [number, number, number];

/** An element shifted and scaled by the moments of its set. */
function normalised(
  value: number,
  [n, mean, squares]: readonly [number, number, number],
  attrs: Attrs,
): number {
  return (value - mean) / Math.sqrt(squares / n + numberAttr(attrs, 'epsilon'));
}

type NormaliseTypes = readonly [x: TensorType, moments: TensorType, weight: TensorType, bias: TensorType];
type NormaliseData = readonly [x: RefTensor, moments: RefTensor, weight: RefTensor, bias: RefTensor];

function checkMoments(op: string, moments: TensorType, expected: Shape): void {
  check(
    printShape(moments.shape) === printShape(expected),
    op,
    () => `expected moments ${printShape(expected)}, got ${printShape(moments.shape)}`,
  );
}

const groupMoments: OpDef = {
  name: 'groupMoments',
  summary: 'count, mean and sum of squared distances from the mean of groups of channels',
  infer(operands, attrs) {
    const taken = take('groupMoments', operands, 1);
    groupsOf('groupMoments', taken, attrs);
    return { shape: momentsShape(taken[0].shape, attrs), dtype: 'f32' };
  },
  access(operands, attrs, out) {
    const taken = take('groupMoments', operands, 1);
    const { groups, size } = groupsOf('groupMoments', taken, attrs);
    const image = axes('batch', '(group channel!)', axisNames(taken[0].shape.length - 2));
    return pattern(`${image} -> batch group moment!`, [taken[0].shape], out.shape, {
      extents: { group: groups, channel: size },
    });
  },
  /** Chan, Golub & LeVeque 1979: no sum of squares, which cancels where the mean is large. */
  split: () => ({ combine: 'mergeMoments', init: 0 }),
  flops: (operands) => 6 * count(operands[0]?.shape ?? []),
  /** Sum of every channel, mean of every group. */
  scratch(operands, attrs) {
    const [x] = take('groupMoments', operands, 1);
    return [x.shape.slice(0, 2), momentsShape(x.shape, attrs).slice(0, 2)];
  },
  reference(operands, attrs, shape) {
    const [x] = take('groupMoments', operands, 1);
    return momentsOfRuns(x, numberAttr(attrs, 'channelsPerGroup') * count(x.shape.slice(2)), shape);
  },
};

const mergeMoments: OpDef = {
  name: 'mergeMoments',
  summary: 'moments of two sets of elements together, from those of each',
  infer(operands) {
    const [a, b] = take('mergeMoments', operands, 2);
    check(
      a.shape.at(-1) === MOMENTS && printShape(a.shape) === printShape(b.shape),
      'mergeMoments',
      () =>
        `expected moments [..., ${MOMENTS}] of one shape, got ${printShape(a.shape)} and ${printShape(b.shape)}`,
    );
    return { shape: a.shape, dtype: 'f32' };
  },
  access(operands, _attrs, out) {
    const names = axes(axisNames(out.shape.length - 1), 'moment!');
    return pattern(
      `${names}, ${names} -> ${names}`,
      operands.map(({ shape }) => shape),
      out.shape,
    );
  },
  flops: (_operands, _attrs, out) => 4 * count(out.shape),
  reference(operands, _attrs, shape) {
    const [a, b] = take('mergeMoments', operands, 2);
    const out = new Float64Array(count(shape));
    for (let at = 0; at * MOMENTS < out.length; at++) {
      const [n, mean, squares] = momentsAt(a, at);
      const [m, other, more] = momentsAt(b, at);
      const total = n + m;
      const apart = other - mean;
      const share = total === 0 ? 0 : m / total;
      out.set([total, mean + apart * share, squares + more + apart * apart * n * share], at * MOMENTS);
    }
    return out;
  },
};

const groupNormalise: OpDef = {
  name: 'groupNormalise',
  summary: 'groups of channels shifted and scaled by their moments, then weight and bias by channel',
  defaults: { epsilon: 1e-5 },
  infer(operands, attrs) {
    check(
      operands.length === 4,
      'groupNormalise',
      () => `expected an image, moments, a weight and a bias, got ${operands.length} operands`,
    );
    const [x, moments, weight, bias] = operands as unknown as NormaliseTypes;
    groupsOf('groupNormalise', [x, weight, bias], attrs);
    checkMoments('groupNormalise', moments, momentsShape(x.shape, attrs));
    return { shape: x.shape, dtype: 'f32' };
  },
  access(operands, attrs, out) {
    const [x, , weight, bias] = operands as unknown as NormaliseTypes;
    const { groups, size } = groupsOf('groupNormalise', [x, weight, bias], attrs);
    const image = axes('batch', '(group channel!)', axisNames(out.shape.length - 2));
    const parameter = '(group channel!)';
    return pattern(
      `${image}, batch group moment!, ${parameter}, ${parameter} -> ${image}`,
      operands.map(({ shape }) => shape),
      out.shape,
      { extents: { group: groups, channel: size } },
    );
  },
  flops: (_operands, _attrs, out) => 4 * count(out.shape),
  inPlace: [0],
  /** Reciprocal standard deviation of every group. */
  scratch: (_operands, attrs, out) => [momentsShape(out.shape, attrs).slice(0, 2)],
  reference(operands, attrs, shape) {
    const [x, moments, weight, bias] = operands as unknown as NormaliseData;
    const inner = count(shape.slice(2));
    const length = numberAttr(attrs, 'channelsPerGroup') * inner;
    const channels = shape[1] as number;
    return x.data.map((value, flat) => {
      const channel = Math.floor(flat / inner) % channels;
      const normal = normalised(value, momentsAt(moments, Math.floor(flat / length)), attrs);
      return normal * (weight.data[channel] as number) + (bias.data[channel] as number);
    });
  },
};

const layerMoments: OpDef = {
  name: 'layerMoments',
  summary: 'count, mean and sum of squared distances from the mean along the last axis',
  infer(operands) {
    const [x] = take('layerMoments', operands, 1);
    check(x.shape.length > 0, 'layerMoments', () => 'expected at least one axis, got a scalar');
    return { shape: [...x.shape.slice(0, -1), MOMENTS], dtype: 'f32' };
  },
  access(operands, _attrs, out) {
    const rows = axisNames(out.shape.length - 1);
    const [x] = take('layerMoments', operands, 1);
    return pattern(`${axes(rows, 'channel')} -> ${axes(rows, 'moment!')}`, [x.shape], out.shape);
  },
  split: () => ({ combine: 'mergeMoments', init: 0 }),
  flops: (operands) => 6 * count(operands[0]?.shape ?? []),
  /** Mean and sum of squares of every row. */
  scratch: (_operands, _attrs, out) => [out.shape.slice(0, -1), out.shape.slice(0, -1)],
  reference(operands, _attrs, shape) {
    const [x] = take('layerMoments', operands, 1);
    return momentsOfRuns(x, x.shape.at(-1) as number, shape);
  },
};

const layerNormalise: OpDef = {
  name: 'layerNormalise',
  summary: 'rows shifted and scaled by their moments, then weight and bias',
  defaults: { epsilon: 1e-5 },
  infer(operands) {
    check(
      operands.length === 4,
      'layerNormalise',
      () => `expected rows, moments, a weight and a bias, got ${operands.length} operands`,
    );
    const [x, moments, weight, bias] = operands as unknown as NormaliseTypes;
    const shape = inferNorm('layerNormalise', x, weight, bias);
    checkMoments('layerNormalise', moments, [...x.shape.slice(0, -1), MOMENTS]);
    return shape;
  },
  access(operands, _attrs, out) {
    const names = axisNames(out.shape.length - 1);
    const row = axes(names, 'channel');
    return pattern(
      `${row}, ${axes(names, 'moment!')}, channel, channel -> ${row}`,
      operands.map(({ shape }) => shape),
      out.shape,
    );
  },
  flops: (_operands, _attrs, out) => 4 * count(out.shape),
  inPlace: [0],
  /** Reciprocal standard deviation of every row. */
  scratch: (_operands, _attrs, out) => [out.shape.slice(0, -1)],
  reference(operands, attrs, shape) {
    const [x, moments, weight, bias] = operands as unknown as NormaliseData;
    const length = shape.at(-1) as number;
    return x.data.map((value, flat) => {
      const channel = flat % length;
      const normal = normalised(value, momentsAt(moments, Math.floor(flat / length)), attrs);
      return normal * (weight.data[channel] as number) + (bias.data[channel] as number);
    });
  },
};

export const momentOps: readonly OpDef[] = [
  groupMoments,
  layerMoments,
  mergeMoments,
  groupNormalise,
  layerNormalise,
];
