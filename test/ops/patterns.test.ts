import { describe, expect, it } from 'vitest';
import { printShape } from '../../src/ir/dims.ts';
import { backward, forward } from '../../src/ir/flow.ts';
import type { Attrs, DType } from '../../src/ir/node.ts';
import { allOps, opDef } from '../../src/ir/ops/index.ts';
import type { AccessPattern } from '../../src/ir/pattern.ts';
import { randomSource } from '../../src/testing/random.ts';
import {
  cuttableLabels,
  forEachIndex,
  isSpreadTo,
  labelValues,
  printPattern,
  underWindows,
} from './access.ts';
import { cases, describeCase } from './cases.ts';
import { cut, drawCase, take } from './support.ts';

const f32 = (...shape: (number | string)[]) => ({ shape, dtype: 'f32' as DType });
const i32 = (...shape: (number | string)[]) => ({ shape, dtype: 'i32' as DType });

function show(op: string, operands: readonly ReturnType<typeof f32>[], attrs: Attrs = {}): string {
  const def = opDef(op);
  const out = def.infer(operands, attrs);
  const access = def.access?.(operands, attrs, out);
  const scratch = def.scratch?.(operands, attrs, out).map(printShape) ?? [];
  return [
    `${op}(${operands.map(({ shape }) => printShape(shape)).join(', ')})`,
    `  ${out.dtype}${printShape(out.shape)}   ${access ? printPattern(access) : 'barrier'}`,
    ...(scratch.length > 0 ? [`  scratch ${scratch.join(', ')}`] : []),
  ].join('\n');
}

describe('shapes and access patterns', () => {
  it('elementwise ops broadcast', () => {
    expect(show('add', [f32('B', 'N', 768), f32(768)])).toMatchInlineSnapshot(`
      "add([B, N, 768], [768])
        f32[B, N, 768]   a b c, c -> a b c"
    `);
    expect(show('mul', [i32('N', 1), i32()])).toMatchInlineSnapshot(`
      "mul([N, 1], [])
        i32[N, 1]   a 1, · -> a 1"
    `);
    expect(show('less', [f32('N', 1), f32('M')])).toMatchInlineSnapshot(`
      "less([N, 1], [M])
        i32[N, M]   a 1, b -> a b"
    `);
    expect(show('where', [i32('N', 'M'), f32('M'), f32()])).toMatchInlineSnapshot(`
      "where([N, M], [M], [])
        f32[N, M]   a b, b, · -> a b"
    `);
    expect(show('exp', [f32()])).toMatchInlineSnapshot(`
      "exp([])
        f32[]   · -> ·"
    `);
    expect(show('addScalar', [i32('N')], { value: 2 })).toMatchInlineSnapshot(`
      "addScalar([N])
        i32[N]   a -> a"
    `);
    expect(show('addScalar', [i32('N')], { value: 0.5 })).toMatchInlineSnapshot(`
      "addScalar([N])
        f32[N]   a -> a"
    `);
  });

  it('products', () => {
    expect(show('matmul', [f32('B', 8, 'N', 64), f32(8, 64, 'M')])).toMatchInlineSnapshot(`
      "matmul([B, 8, N, 64], [8, 64, M])
        f32[B, 8, N, M]   a b row inner, b inner column -> a b row column"
    `);
    expect(show('linear', [f32('N', 768), f32(3072, 768), f32(3072)])).toMatchInlineSnapshot(`
      "linear([N, 768], [3072, 768], [3072])
        f32[N, 3072]   a in, out in, out -> a out"
    `);
    expect(show('linear', [f32('N', 768), f32(768, 3072)], { transposed: true })).toMatchInlineSnapshot(`
      "linear([N, 768], [768, 3072])
        f32[N, 3072]   a in, in out -> a out"
    `);
  });

  it('rows', () => {
    expect(show('softmax', [f32(8, 'N', 'N')], { axis: 2 })).toMatchInlineSnapshot(`
      "softmax([8, N, N])
        f32[8, N, N]   a b c! -> a b c!
        scratch [8, N], [8, N]"
    `);
    expect(show('layerNorm', [f32('B', 'N', 768), f32(768), f32(768)])).toMatchInlineSnapshot(`
      "layerNorm([B, N, 768], [768], [768])
        f32[B, N, 768]   a b channel!, channel!, channel! -> a b channel!
        scratch [B, N], [B, N]"
    `);
    expect(show('rmsNorm', [f32('N', 64), f32(64)])).toMatchInlineSnapshot(`
      "rmsNorm([N, 64], [64])
        f32[N, 64]   a channel!, channel! -> a channel!
        scratch [N]"
    `);
    expect(show('sum', [f32('B', 'N', 7)], { axis: 1 })).toMatchInlineSnapshot(`
      "sum([B, N, 7])
        f32[B, 7]   a b c -> a c"
    `);
    expect(show('amax', [i32('B', 'N', 7)], { axis: 1, keepdims: true })).toMatchInlineSnapshot(`
      "amax([B, N, 7])
        i32[B, 1, 7]   a b c -> a 1 c"
    `);
  });

  it('views', () => {
    expect(show('reshape', [f32('N', 512)], { shape: ['N', 8, 64] })).toMatchInlineSnapshot(`
      "reshape([N, 512])
        f32[N, 8, 64]   a0 (a1 a2) -> a0 a1 a2"
    `);
    expect(show('reshape', [f32(8, 'N', 64)], { shape: ['8*N', 64] })).toMatchInlineSnapshot(`
      "reshape([8, N, 64])
        f32[8*N, 64]   a0 a1 a2 -> (a0 a1) a2"
    `);
    expect(show('reshape', [f32(6, 4, 'N')], { shape: [4, 6, 'N'] })).toMatchInlineSnapshot(`
      "reshape([6, 4, N])
        f32[4, 6, N]   a0! a1! a4 -> a2! a3! a4"
    `);
    expect(show('reshape', [f32(1, 'N', 1)], { shape: ['N'] })).toMatchInlineSnapshot(`
      "reshape([1, N, 1])
        f32[N]   1 a0 1 -> a0"
    `);
    expect(show('reshape', [f32('N', 'M', 4)], { shape: ['M*N', 2, 2] })).toMatchInlineSnapshot(`
      "reshape([N, M, 4])
        f32[M*N, 2, 2]   a0 a1 (a2 a3) -> (a0 a1) a2 a3"
    `);
    expect(show('permute', [f32('N', 8, 64)], { axes: [1, 0, 2] })).toMatchInlineSnapshot(`
      "permute([N, 8, 64])
        f32[8, N, 64]   a b c -> b a c"
    `);
    expect(show('slice', [f32('N', 2304)], { axis: 1, start: 768, length: 768 })).toMatchInlineSnapshot(`
      "slice([N, 2304])
        f32[N, 768]   a from! -> a to [to from start]"
    `);
    expect(show('expand', [f32(4, 1, 'N')], { shape: [2, 4, 8, 'N'] })).toMatchInlineSnapshot(`
      "expand([4, 1, N])
        f32[2, 4, 8, N]   b 1 d -> a b c d"
    `);
  });

  it('the rest', () => {
    expect(show('concat', [f32('N', 3), f32('N', 'M')], { axis: 1 })).toMatchInlineSnapshot(`
      "concat([N, 3], [N, M])
        f32[N, M+3]   a part0!, a part1! -> a joined!"
    `);
    expect(show('embedding', [f32(50257, 768), i32('B', 'N')])).toMatchInlineSnapshot(`
      "embedding([50257, 768], [B, N])
        f32[B, N, 768]   id! width, a b -> a b width"
    `);
    expect(show('iota', [], { length: 'N', start: 0, step: 1 })).toMatchInlineSnapshot(`
      "iota()
        i32[N]   -> i [i from start]"
    `);
    expect(show('full', [], { shape: ['N', 4], value: 1 })).toMatchInlineSnapshot(`
      "full()
        f32[N, 4]   -> a b"
    `);
    expect(show('constant', [], { shape: [2], values: [1, 2] })).toMatchInlineSnapshot(`
      "constant()
        f32[2]   barrier"
    `);
    expect(show('causalMask', [f32(8, 'N', 'N')])).toMatchInlineSnapshot(`
      "causalMask([8, N, N])
        f32[8, N, N]   a row column -> a row column [row from rowStart] [column from columnStart]"
    `);
    expect(show('causalSoftmax', [f32(8, 'N', 'N')])).toMatchInlineSnapshot(`
      "causalSoftmax([8, N, N])
        f32[8, N, N]   a row column! -> a row column! [row from rowStart] [column from columnStart]
        scratch [8, N], [8, N]"
    `);
    expect(show('rotary', [f32(8, 'N', 64), f32('N', 32), f32('N', 32)])).toMatchInlineSnapshot(`
      "rotary([8, N, 64], [N, 32], [N, 32])
        f32[8, N, 64]   a position channel!, position pair!, position pair! -> a position channel!"
    `);
    expect(show('pad', [f32('N', 4)], { before: [0, 1], after: [0, 1], value: 0 })).toMatchInlineSnapshot(`
      "pad([N, 4])
        f32[N, 6]   a b! -> a padded1!"
    `);
    expect(show('geglu', [f32('N', 2560)])).toMatchInlineSnapshot(`
      "geglu([N, 2560])
        f32[N, 1280]   a (half! channel) -> a channel"
    `);
    expect(show('copy', [i32('N', 4)])).toMatchInlineSnapshot(`
      "copy([N, 4])
        i32[N, 4]   a b -> a b"
    `);
  });
});

describe('images and equations', () => {
  const windows = { stride: [1, 1], padding: [0, 0], dilation: [1, 1] };
  const image = f32('B', 8, '4*H', '4*W');

  it('windows slide, unless they look at one element or lie side by side', () => {
    expect(
      show('conv2d', [image, f32(6, 8, 3, 3), f32(6)], { ...windows, padding: [1, 1] }),
    ).toMatchInlineSnapshot(`
      "conv2d([B, 8, 4*H, 4*W], [6, 8, 3, 3], [6])
        f32[B, 6, 4*H, 4*W]   batch in row~ column~, out in tapRow tapColumn, out -> batch out row column"
    `);
    expect(show('conv2d', [image, f32(6, 4, 1, 1), f32(6)], windows)).toMatchInlineSnapshot(`
      "conv2d([B, 8, 4*H, 4*W], [6, 4, 1, 1], [6])
        f32[B, 6, 4*H, 4*W]   batch (group in) row column, (group out) in 1 1, (group out) -> batch (group out) row column"
    `);
    expect(show('conv2d', [image, f32(6, 8, 4, 4)], { ...windows, stride: [4, 4] })).toMatchInlineSnapshot(`
      "conv2d([B, 8, 4*H, 4*W], [6, 8, 4, 4])
        f32[B, 6, H, W]   batch in (row tapRow) (column tapColumn), out in tapRow tapColumn -> batch out row column"
    `);
    expect(
      show('convTranspose2d', [image, f32(8, 6, 3, 3)], {
        ...windows,
        outputPadding: [0, 0],
        channelsPerGroup: 8,
      }),
    ).toMatchInlineSnapshot(`
      "convTranspose2d([B, 8, 4*H, 4*W], [8, 6, 3, 3])
        f32[B, 6, 4*H+2, 4*W+2]   batch in row column, in out tapRow tapColumn -> batch out row~ column~"
    `);
    expect(
      show('convTranspose2d', [image, f32(8, 6, 2, 2)], {
        ...windows,
        stride: [2, 2],
        outputPadding: [0, 0],
        channelsPerGroup: 4,
      }),
    ).toMatchInlineSnapshot(`
      "convTranspose2d([B, 8, 4*H, 4*W], [8, 6, 2, 2])
        f32[B, 12, 8*H, 8*W]   batch (group in) row column, (group in) out tapRow! tapColumn! -> batch (group out) (row tapRow!) (column tapColumn!)"
    `);
    expect(
      show('maxPool2d', [image], { ...windows, kernel: [3, 3], padding: [1, 1] }),
    ).toMatchInlineSnapshot(`
      "maxPool2d([B, 8, 4*H, 4*W])
        f32[B, 8, 4*H, 4*W]   batch channel row~ column~ -> batch channel row column"
    `);
    expect(show('avgPool2d', [image], { ...windows, kernel: [2, 2], stride: [2, 2] })).toMatchInlineSnapshot(`
      "avgPool2d([B, 8, 4*H, 4*W])
        f32[B, 8, 2*H, 2*W]   batch channel (row tapRow) (column tapColumn) -> batch channel row column"
    `);
    expect(show('upsampleNearest2d', [image], { scale: 2 })).toMatchInlineSnapshot(`
      "upsampleNearest2d([B, 8, 4*H, 4*W])
        f32[B, 8, 8*H, 8*W]   batch channel row column -> batch channel (row copyRow!) (column copyColumn!)"
    `);
    expect(
      show('groupNorm', [image, f32(8), f32(8)], { channelsPerGroup: 2, epsilon: 1e-5 }),
    ).toMatchInlineSnapshot(`
      "groupNorm([B, 8, 4*H, 4*W], [8], [8])
        f32[B, 8, 4*H, 4*W]   batch (group channel!) a! b!, (group channel!), (group channel!) -> batch (group channel!) a! b!
        scratch [B, 8], [B, 4], [B, 4]"
    `);
  });

  it('an equation is its own pattern', () => {
    expect(
      show('einsum', [f32('S', 'N', 4), f32('S', 'N', 8)], { equation: { text: 'sia,sjb->ijab' } }),
    ).toMatchInlineSnapshot(`
      "einsum([S, N, 4], [S, N, 8])
        f32[N, N, 4, 8]   s i a, s j b -> i j a b"
    `);
  });

  it('a sliding window widens a flow by its borders, backward; channels and batch pass', () => {
    const operands = [f32(2, 8, 16, 16), f32(6, 8, 3, 3)];
    const attrs = { ...windows, padding: [1, 1] };
    const def = opDef('conv2d');
    const access = def.access?.(operands, attrs, def.infer(operands, attrs)) as AccessPattern;
    const cut = (axis: number) => backward(access, { axis, multiple: 1 });
    expect([0, 1, 2, 3].map(cut)).toMatchInlineSnapshot(`
      [
        {
          "operands": [
            {
              "axis": 0,
              "multiple": 1,
            },
            undefined,
          ],
          "shifts": [],
          "windows": [],
        },
        {
          "operands": [
            undefined,
            {
              "axis": 0,
              "multiple": 1,
            },
          ],
          "shifts": [],
          "windows": [],
        },
        {
          "operands": [
            {
              "after": 1,
              "axis": 2,
              "before": 1,
              "multiple": 1,
            },
            undefined,
          ],
          "shifts": [],
          "windows": [
            {
              "axis": 2,
              "kind": "gathers",
              "operand": 0,
              "window": {
                "dilation": 1,
                "padding": [
                  1,
                  1,
                ],
                "size": 3,
                "stride": 1,
              },
            },
          ],
        },
        {
          "operands": [
            {
              "after": 1,
              "axis": 3,
              "before": 1,
              "multiple": 1,
            },
            undefined,
          ],
          "shifts": [],
          "windows": [
            {
              "axis": 3,
              "kind": "gathers",
              "operand": 0,
              "window": {
                "dilation": 1,
                "padding": [
                  1,
                  1,
                ],
                "size": 3,
                "stride": 1,
              },
            },
          ],
        },
      ]
    `);
    expect(forward(access, 0, { axis: 3, multiple: 1 })).toMatchInlineSnapshot(`
      {
        "axis": 3,
        "multiple": 1,
      }
    `);
  });
});

describe('what patterns promise', () => {
  const described = cases.map((test) => [describeCase(test), test] as const);

  it('every op has a case', () => {
    const covered = new Set(cases.map(({ op }) => op));
    expect(allOps().filter(({ name }) => !covered.has(name))).toEqual([]);
  });

  it.each(described)('%s: no element outside the pattern matters', (_, test) => {
    const drawn = drawCase(test);
    const { def, access, operands, attrs, shape } = drawn;
    if (!access) return;
    const next = randomSource(7);
    const before = def.reference(operands, attrs, shape);
    const size = before.length;
    for (const target of new Set([0, size - 1, Math.floor(next() * size), Math.floor(next() * size)])) {
      let at: readonly number[] = [];
      forEachIndex(shape, (index, flat) => {
        if (flat === target) at = index;
      });
      const output = labelValues(access.output, at, access.extents);
      const disturbed = operands.map((operand, i) => {
        const data = Float64Array.from(operand.data);
        forEachIndex(operand.shape, (index, flat) => {
          const axes = access.operands[i] ?? [];
          const labels = labelValues(axes, index, access.extents);
          const read =
            underWindows(axes, index, output) &&
            isSpreadTo(access.output, at, labels) &&
            [...labels].every(
              ([label, value]) =>
                access.whole.includes(label) || !output.has(label) || output.get(label) === value,
            );
          // Ids must stay ids; any other number may become any number.
          if (!read) data[flat] = test.op === 'embedding' && i === 1 ? 0 : 1000 * next();
        });
        return { shape: operand.shape, data };
      });
      expect(def.reference(disturbed, attrs, shape)[target]).toBe(before[target]);
    }
  });

  it.each(described)('%s: a part computed alone is that part of the whole', (_, test) => {
    const drawn = drawCase(test);
    const { def, access, operands, attrs, shape } = drawn;
    if (!access) return;
    const whole = { shape, data: def.reference(operands, attrs, shape) };
    for (const label of cuttableLabels(access)) {
      const extent = access.extents[label] as number;
      const start = Math.floor(extent / 2);
      const piece = cut(drawn, access, label, start, extent - start);
      const parts = operands.map((operand, i) => take(operand, piece.operands[i]));
      const types = parts.map((part, i) => ({ shape: part.shape, dtype: drawn.types[i]?.dtype ?? 'f32' }));
      expect(def.infer(types, piece.attrs).shape).toEqual(piece.shape);
      expect(def.reference(parts, piece.attrs, piece.shape)).toEqual(take(whole, piece.output).data);
    }
  });
});
