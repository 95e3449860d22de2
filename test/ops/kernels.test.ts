import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allOps } from '../../src/ir/ops/index.ts';
import type { Device, DType } from '../../src/runtime/device.ts';
import * as k from '../../src/runtime/kernels/index.ts';
import { openDevice } from '../../src/runtime/open.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';
import { testBackends } from '../support/backends.ts';
import { cuttableLabels } from './access.ts';
import { cases, describeCase } from './cases.ts';
import { cut, type Drawn, drawCase, type Part, writtenAttrs } from './support.ts';
import { difference } from './tolerance.ts';

type Call = (...args: readonly unknown[]) => Tensor;
const kernels = k as unknown as Readonly<Record<string, Call>>;
const viewOps = allOps().filter((def) => def.layout);
const kernelOps = allOps().filter((def) => !def.layout);

/** How a tensor lies in its storage. */
type Placement = 'contiguous' | 'permuted' | 'sliced';
const PLACEMENTS: readonly Placement[] = ['contiguous', 'permuted', 'sliced'];
const MARGIN = 1;
const SENTINEL = 12345;

/** A tensor of a shape over a storage that may be larger or in another order, and how to get rid of it. */
function place(
  device: Device,
  shape: readonly number[],
  placement: Placement,
  dtype: DType,
  data?: Float64Array,
) {
  const reversed = shape.map((_, axis) => shape.length - 1 - axis);
  const stored =
    placement === 'permuted'
      ? reversed.map((axis) => shape[axis] as number)
      : placement === 'sliced'
        ? shape.map((extent) => extent + 2 * MARGIN)
        : shape;
  const elements = new Float32Array(stored.reduce((a, b) => a * b, 1)).fill(SENTINEL);
  const strides = new Array<number>(stored.length).fill(1);
  for (let axis = stored.length - 2; axis >= 0; axis--) {
    strides[axis] = (strides[axis + 1] as number) * (stored[axis + 1] as number);
  }
  const seenStrides = placement === 'permuted' ? reversed.map((axis) => strides[axis] as number) : strides;
  const first = placement === 'sliced' ? strides.reduce((a, b) => a + b * MARGIN, 0) : 0;
  const positions = positionsOf(shape, seenStrides, first);
  positions.forEach((position, i) => {
    elements[position] = data?.[i] ?? SENTINEL;
  });
  const storage = device.upload(elements, stored, dtype);
  let tensor = storage;
  if (placement === 'permuted') tensor = storage.permute(reversed);
  if (placement === 'sliced') {
    shape.forEach((extent, axis) => {
      tensor = tensor.slice(axis, MARGIN, MARGIN + extent);
    });
  }
  return { tensor, storage, positions };
}

function positionsOf(shape: readonly number[], strides: readonly number[], first: number): number[] {
  let positions = [first];
  shape.forEach((extent, axis) => {
    positions = positions.flatMap((at) =>
      Array.from({ length: extent }, (_, i) => at + i * (strides[axis] as number)),
    );
  });
  return positions;
}

function call(
  device: Device,
  drawn: Drawn,
  operands: readonly Tensor[],
  into: Tensor,
  attrs = drawn.attrs,
): void {
  const types = operands.map((operand) => ({ shape: operand.shape, dtype: operand.dtype }));
  const scratch = drawn.def.scratch?.(types, attrs, { shape: into.shape, dtype: into.dtype }) ?? [];
  const temporary = scratch.map((shape) => device.alloc(shape as number[]));
  kernels[drawn.def.name]?.(...operands, { ...writtenAttrs(attrs), into, scratch: temporary });
  for (const tensor of temporary) tensor.free();
}

const slicePart = (tensor: Tensor, part: Part | undefined): Tensor =>
  part ? tensor.slice(part.axis, part.start, part.start + part.length) : tensor;

describe('ops and kernels', () => {
  it('every op that is not a view has a kernel, and every kernel an op', () => {
    const kernelNames = Object.keys(k).filter((name) => name !== 'user' && name !== 'formula');
    expect(kernelNames.sort()).toEqual(kernelOps.map(({ name }) => name).sort());
    expect(viewOps.map(({ name }) => name)).toEqual(['reshape', 'permute', 'slice', 'expand']);
  });
});

describe.each(testBackends)('kernels on %s', (backend) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ backend });
  });
  afterAll(async () => {
    await device.destroy();
  });

  const overwriting = kernelOps.flatMap(({ name, inPlace = [] }) => inPlace.map((i) => [name, i] as const));
  it.each(overwriting)('%s may be written over operand %i: the same bits', async (op, operand) => {
    let compared = 0;
    for (const test of cases.filter((candidate) => candidate.op === op)) {
      const drawn = drawCase(test);
      const type = drawn.types[operand];
      if (type?.shape.join() !== drawn.shape.join()) continue;
      for (const placement of PLACEMENTS) {
        const runs = ['apart', 'in place'].map((how) => {
          const operands = drawn.operands.map(({ shape, data }, i) =>
            place(device, shape, placement, drawn.types[i]?.dtype ?? 'f32', data),
          );
          const over = operands[operand] as (typeof operands)[number];
          const into = how === 'apart' ? place(device, drawn.shape, placement, drawn.out.dtype) : over;
          call(
            device,
            drawn,
            operands.map(({ tensor }) => tensor),
            into.tensor,
          );
          return { operands, into };
        });
        const [apart, over] = await Promise.all(runs.map(({ into }) => device.read(into.storage)));
        expect(over).toEqual(apart);
        for (const { operands, into } of runs) {
          for (const { storage } of new Set([...operands, into])) storage.free();
        }
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(0);
  });

  it.each(kernelOps.map(({ name }) => name))('%s agrees with its float64 reference', async (op) => {
    const liveBefore = device.memory.liveBytes;
    for (const test of cases.filter((candidate) => candidate.op === op)) {
      const drawn = drawCase(test);
      const want = drawn.def.reference(drawn.operands, drawn.attrs, drawn.shape);
      for (const placement of PLACEMENTS) {
        // A constant is written by the host, into contiguous memory.
        const target = op === 'constant' ? 'contiguous' : placement;
        const operands = drawn.operands.map(({ shape, data }, i) =>
          place(device, shape, placement, drawn.types[i]?.dtype ?? 'f32', data),
        );
        const into = place(device, drawn.shape, target, 'f32');
        call(
          device,
          drawn,
          operands.map(({ tensor }) => tensor),
          into.tensor,
        );
        const stored = await device.read(into.storage);
        const got = into.positions.map((position) => stored[position] as number);
        const wrong = difference(got, want, drawn);
        expect(wrong && `${describeCase(test)}, ${placement}: ${wrong}`).toBeUndefined();
        const inside = new Set(into.positions);
        const outside = stored.filter((_, position) => !inside.has(position));
        expect(outside.every((value) => value === SENTINEL)).toBe(true);
        for (const { storage } of [...operands, into]) storage.free();
      }
    }
    expect(device.memory.liveBytes).toBe(liveBefore);
  });

  it.each(kernelOps.map(({ name }) => name))('%s gives a part the same bits as the whole', async (op) => {
    for (const test of cases.filter((candidate) => candidate.op === op)) {
      const drawn = drawCase(test);
      const { access } = drawn;
      if (!access || drawn.shape.length === 0) continue;
      const operands = drawn.operands.map(({ shape, data }, i) =>
        device.upload(data, shape, drawn.types[i]?.dtype ?? 'f32'),
      );
      const whole = device.alloc(drawn.shape);
      const pieces = device.alloc(drawn.shape);
      call(device, drawn, operands, whole);
      const want = await device.read(whole);
      for (const label of cuttableLabels(access)) {
        const extent = access.extents[label] as number;
        const size = Math.max(1, Math.ceil(extent / 3));
        for (let start = 0; start < extent; start += size) {
          const piece = cut(drawn, access, label, start, Math.min(size, extent - start));
          const parts = operands.map((operand, i) => slicePart(operand, piece.operands[i]));
          call(device, drawn, parts, slicePart(pieces, piece.output), piece.attrs);
        }
        expect(await device.read(pieces), `${describeCase(test)} cut along ${label}`).toEqual(want);
      }
      for (const tensor of [...operands, whole, pieces]) tensor.free();
    }
  });

  it('attributes left out mean the defaults of the op', async () => {
    const x = device.upload([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 3]);
    const row = device.upload([1, 2, 3], [3]);
    const table = device.upload([1, 2, 3], [3, 1]);
    const even = device.upload([1, 2, 3, 4, 5, 6], [3, 2]);
    const image = device.upload(
      Array.from({ length: 27 }, (_, i) => (i % 5) - 2),
      [3, 3, 3, 1],
    );
    const operandsOf: Readonly<Record<string, readonly Tensor[]>> = {
      gelu: [x],
      linear: [x, x, row],
      layerNorm: [x, row, row],
      layerNormalise: [x, x, row, row],
      rmsNorm: [x, row],
      causalMask: [x],
      causalSoftmax: [x],
      rotary: [even, table, table],
      sum: [x],
      mean: [x],
      amax: [x],
      amin: [x],
      iota: [],
      conv2d: [image, image.slice(0, 0, 1)],
      convTranspose2d: [image, image],
      maxPool2d: [image],
      avgPool2d: [image],
      groupNorm: [image, row, row],
      groupNormalise: [image, device.upload([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 1, 3]), row, row],
      pad: [x],
      leakyRelu: [x],
    };
    const required: Readonly<Record<string, Record<string, number | readonly number[]>>> = {
      ...Object.fromEntries(['sum', 'mean', 'amax', 'amin'].map((op) => [op, { axis: 0 }])),
      iota: { length: 5 },
      convTranspose2d: { channelsPerGroup: 3 },
      maxPool2d: { kernel: [2, 1], stride: [1, 1] },
      avgPool2d: { kernel: [2, 1], stride: [1, 1] },
      groupNorm: { channelsPerGroup: 3 },
      groupNormalise: { channelsPerGroup: 3 },
      pad: { before: [1, 0], after: [0, 2] },
    };
    const withDefaults = allOps().filter((def) => def.defaults);
    expect(withDefaults.map(({ name }) => name).sort()).toEqual(Object.keys(operandsOf).sort());
    for (const def of withDefaults) {
      const operands = operandsOf[def.name] ?? [];
      const explicit = { ...def.defaults, ...required[def.name] };
      const types = operands.map(({ shape, dtype }) => ({ shape, dtype }));
      const out = def.infer(types, explicit);
      const results: Float32Array[] = [];
      for (const attrs of [explicit, required[def.name] ?? {}]) {
        const into = device.alloc(out.shape as number[]);
        const scratch = (def.scratch?.(types, explicit, out) ?? []).map((s) => device.alloc(s as number[]));
        kernels[def.name]?.(...operands, { ...attrs, into, scratch });
        results.push(await device.read(into));
      }
      expect(results[1], def.name).toEqual(results[0]);
    }
  });
});

describe('a kernel call that does not fit', () => {
  const message = (run: (device: Device) => unknown) => async (): Promise<string> => {
    const device = await openDevice({ backend: 'cpu' });
    try {
      run(device);
      return 'no error';
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
  };

  it('names the op, what was expected and what was got', async () => {
    const messages = await Promise.all(
      [
        message((d) => k.add(d.alloc([2, 3]), d.alloc([4]), { into: d.alloc([2, 3]) })),
        message((d) => k.exp(d.alloc([2, 3]), { into: d.alloc([3, 2]) })),
        message((d) => k.matmul(d.alloc([2, 3]), d.alloc([4, 2]), { into: d.alloc([2, 2]) })),
        message((d) => k.linear(d.alloc([2, 3]), d.alloc([4, 2]), { into: d.alloc([2, 4]) })),
        message((d) => k.softmax(d.alloc([2, 3]), { axis: 2, into: d.alloc([2, 3]), scratch: [] })),
        message((d) => k.softmax(d.alloc([2, 3]), { axis: 1, into: d.alloc([2, 3]), scratch: [] })),
        message((d) => k.sum(d.alloc([2, 3]), { axis: 1, into: d.alloc([3]) })),
        message((d) => k.concat(d.alloc([2, 3]), { axis: 1, into: d.alloc([2, 4]) })),
        message((d) =>
          k.rotary(d.alloc([2, 3]), d.alloc([2, 1]), d.alloc([2, 1]), { into: d.alloc([2, 3]) }),
        ),
        message((d) => k.embedding(d.alloc([2]), d.alloc([2]), { into: d.alloc([2, 2]) })),
      ].map((run) => run()),
    );
    expect(messages.join('\n')).toMatchInlineSnapshot(`
      "UserError: add: cannot broadcast [2, 3] with [4]
      UserError: exp: expected a result of shape [2, 3], got [3, 2]
      UserError: matmul: contracted extents differ: [2, 3] · [4, 2]
      UserError: linear: expected last axis 2 for weight [4, 2], got [2, 3]
      UserError: softmax: axis 2 is out of range for [2, 3]
      UserError: softmax: expected 2 scratch tensors, got 0
      UserError: sum: expected a result of shape [2], got [3]
      UserError: concat: operands have 3 elements along axis 1, the result [2, 4]
      UserError: rotary: expected [..., positions, channels] with an even number of channels, got [2, 3]
      UserError: embedding: expected a table [ids, width], got [2]"
    `);
  });
});
