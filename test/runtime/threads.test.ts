import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import * as k from '../../src/runtime/kernels/index.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';
import { count, i32 } from '../../src/runtime/webasm/assembler/instructions.ts';
import { WasmModule } from '../../src/runtime/webasm/assembler/module.ts';
import { WebasmDevice } from '../../src/runtime/webasm/device.ts';
import { divide } from '../../src/runtime/webasm/gemm/tasks.ts';
import { Runner } from '../../src/runtime/webasm/runner.ts';
import { findThreads } from '../../src/runtime/webasm/threads/host.ts';
import { randomSource } from '../../src/testing/random.ts';

const host = await findThreads();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a runner', () => {
  let runner: Runner | undefined;
  afterEach(async () => {
    await runner?.end();
    runner = undefined;
  });

  const open = (threads: number): Runner => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    runner = new Runner({ memory, threads, host, workspaceOf: (thread) => thread });
    return runner;
  };
  /** Adds 1 to the words `begin … end`. */
  const counting = (): WebAssembly.Module => {
    const module = new WasmModule();
    module.define(
      ['i32', 'i32', 'i32'],
      (local, begin, end) => {
        const at = local('i32');
        return [count(at, begin, end, 1, [i32.store(i32.mul(at, 4), i32.add(i32.load(i32.mul(at, 4)), 1))])];
      },
      'run',
    );
    return new WebAssembly.Module(module.bytes({ maximumPages: 1, shared: true }));
  };

  it.each([1, 2, 3, 5])('computes every part once on %i threads', async (threads) => {
    const runner = open(threads);
    const program = runner.load(counting());
    const words = new Int32Array(runner.memory.buffer);
    const rounds = 300;
    for (let round = 0; round < rounds; round++) {
      runner.run(program, [10, 1000], { at: 0, step: 7 });
      if (round % 50 === 0) await pause(20);
    }
    expect([...words.subarray(9, 1001)]).toEqual([0, ...new Array<number>(990).fill(rounds), 0]);
  });

  it('gets help from its workers', async () => {
    const runner = open(2);
    const program = runner.load(counting());
    for (let attempt = 0; attempt < 500 && runner.helped === 0; attempt++) {
      // One that sleeps may wake up when the first job is done already.
      for (let job = 0; job < 20; job++) runner.run(program, [0, 10000], { at: 0, step: 100 });
      await pause(5);
    }
    expect(runner.helped).toBeGreaterThan(0);
  });

  it('knows many programs', async () => {
    const runner = open(3);
    const programs = Array.from({ length: 20 }, () => runner.load(counting()));
    for (let round = 0; round < 20; round++) {
      for (const program of programs) runner.run(program, [0, 64], { at: 0, step: 4 });
      await pause(2);
    }
    const words = new Int32Array(runner.memory.buffer);
    expect([...words.subarray(0, 65)]).toEqual([...new Array<number>(64).fill(400), 0]);
  });

  it('says when WebAssembly failed on another thread, and goes on', async () => {
    const runner = open(2);
    const module = new WasmModule();
    // Beyond the memory for all but the main thread, whose workspace is 0.
    module.define(
      ['i32', 'i32', 'i32'],
      (_, _begin, _end, workspace) => i32.store(i32.mul(workspace, 1 << 20), 1),
      'run',
    );
    const program = runner.load(new WebAssembly.Module(module.bytes({ maximumPages: 1, shared: true })));
    let failure: unknown;
    for (let attempt = 0; attempt < 500 && !failure; attempt++) {
      try {
        runner.run(program, [0, 10000], { at: 0, step: 1 });
      } catch (error) {
        failure = error;
      }
      await pause(5);
    }
    expect(String(failure)).toMatch(/worker thread failed/);
    expect(() => runner.run(runner.load(counting()), [0, 8], { at: 0, step: 1 })).not.toThrow();
  });
});

describe('parts of a product', () => {
  it.each([
    [1024, 1024, 1024, 1, 2],
    [7, 5000, 64, 1, 4],
    [5000, 7, 64, 3, 4],
    [256, 32, 256, 8, 2],
    [1, 100000, 100, 1, 16],
    [4, 8, 1 << 20, 1, 8],
    [64, 64, 64, 500, 3],
    [3, 3, 3, 1, 8],
    [3, 3, 0, 1, 8],
  ])('of %i × %i over %i, a batch of %i, cover it on %i threads', (rows, columns, inner, batch, threads) => {
    const { taskRows, taskColumns, tasks, step } = divide({ rows, columns, k: inner }, batch, threads);
    expect(tasks).toBe(batch * Math.ceil(rows / taskRows) * Math.ceil(columns / taskColumns));
    expect(step).toBeGreaterThanOrEqual(1);
    const parts = Math.ceil(tasks / step);
    expect(parts).toBeLessThanOrEqual(8 * threads);
    expect(divide({ rows, columns, k: inner }, batch, 1)).toEqual({
      taskRows: rows,
      taskColumns: columns,
      tasks: batch,
      step: batch,
    });
  });
});

describe('a device with threads', () => {
  const noise = (length: number, seed: number): Float32Array => {
    const next = randomSource(seed);
    return Float32Array.from({ length }, () => 2 * next() - 1);
  };
  const bits = async (tensor: Tensor): Promise<Buffer> =>
    Buffer.from((await tensor.device.read(tensor)).buffer);

  it.each(['tuned', 'gpujs'] as const)(
    'computes the same bits on any number of threads, %s',
    async (kernels) => {
      const data = [
        noise(3 * 300 * 70, 1),
        noise(3 * 70 * 290, 2),
        noise(16 * 40 * 40, 3),
        noise(32 * 16 * 9, 4),
      ];
      const results: Buffer[][] = [];
      for (const threads of [1, 2, 3, 7]) {
        const device = new WebasmDevice({ kernels, threads, host });
        expect(device.threads).toBe(threads);
        const [a, b, image, weight] = [
          device.upload(data[0] as Float32Array, [3, 300, 70]),
          device.upload(data[1] as Float32Array, [3, 70, 290]),
          device.upload(data[2] as Float32Array, [1, 16, 40, 40]),
          device.upload(data[3] as Float32Array, [32, 16, 3, 3]),
        ];
        const [product, rows, stats, places] = [
          device.alloc([3, 300, 290]),
          device.alloc([3, 300, 290]),
          [device.alloc([3, 300]), device.alloc([3, 300])],
          device.alloc([1, 32, 40, 40]),
        ] as const;
        for (let round = 0; round < 5; round++) {
          k.matmul(a, b, { into: product });
          k.softmax(product, { into: rows, axis: 2, scratch: stats });
          k.gelu(rows, { into: product });
          k.conv2d(image, weight, { into: places, padding: [1, 1] });
          await pause(10);
        }
        results.push(await Promise.all([product, rows, places].map(bits)));
        await device.destroy();
      }
      for (const result of results) {
        result.forEach((tensor, i) => {
          expect(tensor.equals(results[0]?.[i] as Buffer)).toBe(true);
        });
      }
    },
  );

  it('lets the process end, and leaves nothing behind when it is destroyed', () => {
    const script = `
      import { k, openDevice } from './src/runtime/index.ts';
      const device = await openDevice({ backend: 'webasm', threads: 3 });
      const a = device.upload(new Float32Array(512 * 512).fill(1), [512, 512]);
      k.matmul(a, a, { into: device.alloc([512, 512]) });
      if (process.argv.at(-1) === 'destroy') {
        await device.destroy();
        const left = process.getActiveResourcesInfo().filter((name) => /worker|port/i.test(name));
        if (left.length > 0) throw new Error(left.join());
      }
      console.log('done', device.threads);`;
    for (const ending of ['destroy', 'leave']) {
      const ran = spawnSync(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '--eval', script, ending],
        { encoding: 'utf8', timeout: 60_000 },
      );
      expect(ran.stderr).toBe('');
      expect(ran.stdout).toBe('done 3\n');
      expect(ran.status).toBe(0);
    }
  });
});
