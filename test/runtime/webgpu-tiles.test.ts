import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BoundView } from '../../src/runtime/bound-view.ts';
import { findAdapter } from '../../src/runtime/webgpu/adapter.ts';
import { GemmExecutor } from '../../src/runtime/webgpu/gemm/executor.ts';
import { chooseTile, TILES, threadsOf } from '../../src/runtime/webgpu/gemm/tile.ts';
import { Recorder } from '../../src/runtime/webgpu/recorder.ts';
import { randomSource } from '../../src/testing/random.ts';
import { testBackends } from '../support/backends.ts';

type View = BoundView<GPUBuffer>;
type Three = readonly [number, number, number];

const STORAGE_COPY = 0x80 | 0x04 | 0x08;
const MAP_READ_COPY_DST = 0x01 | 0x08;
const next = randomSource(5);
const noise = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * next() - 1);
const count = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

describe('the tile of a product', () => {
  it('fits what every adapter has: 256 threads, 16 KiB of workgroup memory', () => {
    for (const tile of TILES) {
      expect(threadsOf(tile)).toBeLessThanOrEqual(256);
      const groups = (extent: number, each: number): number =>
        (extent / Math.min(4, each) + 1) * Math.min(4, each);
      const floats = tile.depth * (groups(tile.rows, tile.rowsEach) + groups(tile.columns, tile.columnsEach));
      expect(floats * 4).toBeLessThanOrEqual(16384);
    }
  });

  it('is large for large matrices and flat for few rows', () => {
    expect(TILES[chooseTile(2048, 2048, 1)]).toMatchObject({ rows: 128, columns: 64 });
    expect(TILES[chooseTile(256, 256, 8)]).toMatchObject({ rows: 64, columns: 64 });
    expect(TILES[chooseTile(1, 4096, 1)]).toMatchObject({ rows: 1 });
    expect(TILES[chooseTile(8, 50257, 1)]).toMatchObject({ rows: 8 });
    expect(TILES[chooseTile(32, 1e6, 1)]).toMatchObject({ rows: 32 });
  });
});

describe.runIf(testBackends.includes('webgpu'))('tiles on webgpu', () => {
  let gpu: GPUDevice;
  beforeAll(async () => {
    const found = await findAdapter();
    if ('reason' in found) throw new Error(found.reason);
    gpu = await found.adapter.requestDevice();
  });
  afterAll(() => gpu.destroy());

  /** A buffer of NaN with `data` in it, its axes in `order`, after a gap. */
  function placed(extents: Three, order: Three = [0, 1, 2], data?: Float32Array): View {
    const base = 7;
    const strides: [number, number, number] = [0, 0, 0];
    let stride = 1;
    for (const axis of [...order].reverse()) {
      strides[axis] = stride;
      // A gap after every row.
      stride = stride * (extents[axis] as number) + (stride === 1 ? 3 : 0);
    }
    const values = new Float32Array(base + stride + 5).fill(Number.NaN);
    const [depth, height, width] = extents;
    const at = (z: number, y: number, x: number): number =>
      base + z * strides[0] + y * strides[1] + x * strides[2];
    for (let z = 0; z < depth; z++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++)
          values[at(z, y, x)] = data ? (data[(z * height + y) * width + x] as number) : 0;
      }
    }
    const handle = gpu.createBuffer({ size: values.byteLength, usage: STORAGE_COPY });
    gpu.queue.writeBuffer(handle, 0, values);
    return { handle, base, extents, strides };
  }

  /** The elements of a view; everything around it must still be NaN. */
  async function elements({ handle, base, extents, strides }: View): Promise<Float32Array> {
    const staging = gpu.createBuffer({ size: handle.size, usage: MAP_READ_COPY_DST });
    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(handle, 0, staging, 0, handle.size);
    gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    const stored = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    const out = new Float32Array(count(extents));
    const [depth, height, width] = extents;
    for (let i = 0; i < out.length; i++) {
      const [z, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
      const at = base + z * strides[0] + y * strides[1] + x * strides[2];
      out[i] = stored[at] as number;
      stored[at] = Number.NaN;
    }
    expect(out.length).toBe(depth * height * width);
    expect(stored.every(Number.isNaN)).toBe(true);
    return out;
  }

  async function product(
    [batch, rows, columns, k]: readonly [number, number, number, number],
    operands: readonly [Float32Array, Float32Array, Float32Array],
    orders: readonly [Three, Three],
    tile: number,
    mostGroups?: number,
  ): Promise<{ result: Float32Array; dispatches: number }> {
    const recorder = new Recorder(gpu, mostGroups);
    let dispatches = 0;
    const dispatch = recorder.dispatch.bind(recorder);
    recorder.dispatch = (one) => {
      dispatches++;
      dispatch(one);
    };
    const executor = new GemmExecutor(recorder, () => tile);
    const [a, b, bias] = operands;
    const out = placed([batch, rows, columns]);
    const views = {
      out,
      a: placed([batch, rows, k], orders[0], a),
      b: placed([batch, k, columns], orders[1], b),
    };
    const added = placed([1, 1, columns], undefined, bias);
    executor.multiply({
      ...views,
      bias: { ...added, extents: out.extents, strides: [0, 0, added.strides[2]] },
    });
    executor.multiply({ ...views, accumulate: true });
    recorder.submit();
    const result = await elements(out);
    recorder.destroy();
    for (const { handle } of [...Object.values(views), added]) handle.destroy();
    return { result, dispatches };
  }

  it('all make the same bits, whatever lies around the operands', { timeout: 240_000 }, async () => {
    const [batch, rows, columns, k] = [2, 37, 75, 37] as const;
    const operands = [noise(batch * rows * k), noise(batch * k * columns), noise(columns)] as const;
    const orders: readonly (readonly [Three, Three])[] = [
      [
        [0, 1, 2],
        [0, 1, 2],
      ],
      [
        [0, 2, 1],
        [0, 2, 1],
      ],
    ];
    let first: Float32Array | undefined;
    for (const order of orders) {
      for (const [i, tile] of TILES.entries()) {
        const { result } = await product([batch, rows, columns, k], operands, order, i);
        first ??= result;
        expect(result, `tile ${tile.rows} × ${tile.columns}`).toEqual(first);
      }
    }
    const [a, b, bias] = operands;
    (first as Float32Array).forEach((value, i) => {
      const [z, y, x] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
      let sum = bias[x] as number;
      for (let s = 0; s < k; s++) {
        sum += 2 * (a[(z * rows + y) * k + s] as number) * (b[(z * k + s) * columns + x] as number);
      }
      expect(Math.abs(value - sum)).toBeLessThan(1e-5);
    });
  });

  it('are divided among dispatches where there are more workgroups than one takes', async () => {
    const shape = [5, 11, 300, 3] as const;
    const [batch, rows, columns, k] = shape;
    const operands = [noise(batch * rows * k), noise(batch * k * columns), noise(columns)] as const;
    const order = [
      [0, 1, 2],
      [0, 1, 2],
    ] as const;
    const tile = TILES.length - 1;
    const whole = await product(shape, operands, order, tile);
    const parts = await product(shape, operands, order, tile, 2);
    expect(whole.dispatches).toBe(2);
    // 3 parts of the batch, 6 of rows, 3 of columns.
    expect(parts.dispatches).toBe(2 * 3 * 6 * 3);
    expect(parts.result).toEqual(whole.result);
  });
});
