import fc from 'fast-check';
import { simplify } from '../../src/compiler/passes/simplify.ts';
import type { Graph, ValueId } from '../../src/ir/node.ts';
import { ShapeError } from '../../src/ir/ops/op.ts';
import { GraphBuilder } from './graphs.ts';

/** Numbers that pick one layer, what it reads and its attributes; any list gives a valid network. */
type Layer = readonly number[];

/** A small convolutional network: windows of all kinds, elementwise layers, up-sampling, sums of what was before. */
function network(rows: number, columns: number, layers: readonly Layer[], outputs: readonly number[]): Graph {
  const b = new GraphBuilder('network');
  const values: ValueId[] = [b.input('x', [1, 2, rows, columns])];
  const recent = (choice: number): ValueId =>
    values[values.length - 1 - (choice % Math.min(values.length, 4))] as ValueId;
  for (const [i, [kind = 0, first = 0, second = 0, a = 0, c = 0, d = 0]] of layers.entries()) {
    const x = recent(first);
    const channels = b.type(x).shape[1] as number;
    const [stride, dilation] = [
      [1 + (c % 3 === 2 ? c % 4 : 0), 1 + (d % 3 === 2 ? 1 : 0)],
      [1 + (d % 4 === 3 ? 1 : 0), 1 + (c % 4 === 3 ? 1 : 0)],
    ] as const;
    const kernel = [1 + (a % 4), 1 + (c % 3)] as const;
    const padding = d % 2 === 0 ? [a % 3, d % 3] : [a % 3, c % 2, d % 3, second % 2];
    const groups = channels % 2 === 0 && d % 3 === 0 ? 2 : 1;
    const small = [Math.min(a % 2, kernel[0] >> 1), Math.min(c % 2, kernel[1] >> 1)];
    const make = [
      () =>
        b.op('conv', 'conv2d', [x, b.param(`w${i}`, [2, channels / groups, ...kernel])], {
          stride,
          dilation,
          padding,
        }),
      () => b.op('max', 'maxPool2d', [x], { kernel, stride, padding: small, dilation }),
      () => b.op('mean', 'avgPool2d', [x], { kernel, stride, padding: small, countIncludePad: a % 2 === 0 }),
      () => b.op('up', 'upsampleNearest2d', [x], { scale: 2 }),
      () =>
        b.op('spread', 'convTranspose2d', [x, b.param(`w${i}`, [channels, 2 / groups, ...kernel])], {
          stride,
          dilation,
          padding,
          outputPadding: [a % Math.max(stride[0], dilation[0]), c % 2],
          channelsPerGroup: channels / groups,
        }),
      () => b.op('act', a % 2 === 0 ? 'relu' : 'tanh', [x]),
      () => b.op('sum', 'add', [x, recent(second)]),
      () => b.op('turned', 'permute', [x], { axes: [0, 1, 3, 2] }),
      () =>
        b.op('part', 'slice', [x], {
          axis: 2 + (a % 2),
          start: c % 2,
          length: Math.max(1, (b.type(x).shape[2 + (a % 2)] as number) - 2),
        }),
    ][[0, 0, 0, 1, 2, 3, 4, 5, 6, 6, 7, 8][kind % 12] as number] as () => ValueId;
    try {
      const id = make();
      const { shape } = b.type(id);
      if (shape.reduce<number>((n, dim) => n * (dim as number), 1) <= 900) values.push(id);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
    }
  }
  return b.build(Object.fromEntries(outputs.map((choice, i) => [`out${i}`, recent(choice)])));
}

const layer = fc.array(fc.nat({ max: 1000 }), { minLength: 6, maxLength: 6 });
/** Random networks, without dead nodes. */
export const networks = fc
  .tuple(
    fc.integer({ min: 3, max: 13 }),
    fc.integer({ min: 3, max: 9 }),
    fc.array(layer, { minLength: 2, maxLength: 9 }),
    fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 2 }),
  )
  .map((numbers) => simplify(network(...numbers)));

/** Numbers that pick loops, for `legalLoops`. */
export const loopPicks = fc.array(fc.tuple(fc.nat({ max: 97 }), fc.nat({ max: 997 }), fc.nat({ max: 97 })), {
  minLength: 1,
  maxLength: 4,
});
