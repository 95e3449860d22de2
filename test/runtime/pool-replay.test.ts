import { describe, expect, it } from 'vitest';
import evoformer from '../../bench/models/evoformer.ts';
import gpt2 from '../../bench/models/gpt2.ts';
import unet from '../../bench/models/unet.ts';
import vit from '../../bench/models/vit.ts';
import { stories260K } from '../../models/llama/model.ts';
import { BudgetError, parseBudget } from '../../src/compiler/budget.ts';
import { bytesOf } from '../../src/compiler/memory/estimate.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import type { Model } from '../../src/index.ts';
import type { Bindings } from '../../src/ir/dims.ts';
import { iterationOf, loopSizes } from '../../src/ir/loop.ts';
import type { Program, Step } from '../../src/ir/program.ts';
import { BufferPool } from '../../src/runtime/webgpu/pool.ts';
import { trace } from '../../src/trace/tracer.ts';

const MODELS: Readonly<Record<string, { model: Model; dims: Bindings }>> = {
  gpt2: { model: gpt2, dims: { N: 1024 } },
  vit: { model: vit, dims: {} },
  evoformer: { model: evoformer, dims: { N_seq: 64, N_res: 96 } },
  unet: { model: unet, dims: { B: 1, H: 32, W: 32, L: 77 } },
  llama: { model: stories260K, dims: { N: 512 } },
};

interface Replay {
  /** Most bytes of buffers, over the peak of what was asked for. */
  readonly share: number;
  /** Buffers created in loops, in an iteration after the second. */
  readonly createdWarm: number;
  /** Such iterations in which a storage got another buffer than in the one before: it needs new bind groups. */
  readonly movedWarm: number;
}

/** Asks a pool for the storages of a program, twice, as a run of its module does. */
function replay(program: Program): Replay {
  let created = 0;
  const device = {
    createBuffer: ({ size }: { size: number }) => {
      created++;
      return { size, destroy: () => {} };
    },
  } as unknown as GPUDevice;
  const pool = new BufferPool(device, { beforeDestroy: () => {}, parameterBytes: () => 0 });
  let live = 0;
  let peak = 0;
  let reserved = 0;
  let createdWarm = 0;
  let movedWarm = 0;
  /** The buffers of all storages, in the order in which they were asked for. */
  const given: { buffer: GPUBuffer; bytes: number }[] = [];
  const held = new Map<string, { buffer: GPUBuffer; bytes: number }>();
  const take = (value: string, bytes: number): void => {
    const buffer = pool.acquire(bytes);
    held.set(value, { buffer, bytes });
    given.push({ buffer, bytes });
    live += bytes;
    peak = Math.max(peak, live);
    reserved = Math.max(reserved, pool.reservedBytes);
  };
  const release = (value: string): void => {
    const { buffer, bytes } = held.get(value) as { buffer: GPUBuffer; bytes: number };
    held.delete(value);
    pool.release(buffer);
    live -= bytes;
  };
  const walk = (steps: readonly Step[], bindings: Bindings): void => {
    for (const step of steps) {
      if (step.kind === 'alloc') take(step.value, bytesOf(step.shape, bindings));
      else if (step.kind === 'free') release(step.value);
      else if (step.kind === 'loop') {
        let last: typeof given = [];
        for (let i = 0; i < loopSizes(step.loop).chunks; i++) {
          const [before, first] = [created, given.length];
          walk(step.steps, iterationOf(step.loop, i, bindings));
          const own = given.slice(first);
          // The last iteration may be shorter, those at a border may be larger.
          const alike = own.every(({ bytes }, at) => bytes === last[at]?.bytes);
          if (i > 1 && alike) {
            createdWarm += created - before;
            if (own.some(({ buffer }, at) => buffer !== last[at]?.buffer)) movedWarm++;
          }
          last = own;
        }
      }
    }
  };
  for (let run = 0; run < 2; run++) {
    for (const { id, shape } of program.inputs) take(id, bytesOf(shape, {}));
    walk(program.steps, {});
    for (const value of [...held.keys()]) release(value);
  }
  return { share: reserved / peak, createdWarm, movedWarm };
}

describe('the buffer pool of webgpu', () => {
  it('holds at most a tenth more than the peak and stays put in warm loops, on all models at all budgets', {
    timeout: 240_000,
  }, () => {
    const rows: Record<string, Record<string, string>> = {};
    const replays: [string, Replay][] = [];
    for (const [name, { model, dims }] of Object.entries(MODELS)) {
      const graph = trace(model);
      const bound = Object.fromEntries(graph.dims.map((dim) => [dim, dims[dim] ?? 1]));
      rows[name] = {};
      for (const budget of ['100%', '50%', '40%', '20%', 'min']) {
        try {
          const { program } = plan(graph, { dims: bound, budget: parseBudget(budget), backend: 'webgpu' });
          const replayed = replay(program);
          const { share, createdWarm, movedWarm } = replayed;
          rows[name][budget] = `${share.toFixed(3)} (${createdWarm}, ${movedWarm})`;
          replays.push([`${name} at ${budget}`, replayed]);
        } catch (error) {
          if (!(error instanceof BudgetError)) throw error;
          rows[name][budget] = '—';
        }
      }
    }
    console.log('reserved ÷ live peak of the buffer pool (buffers created and moved in warm loops)');
    console.table(rows);
    for (const [name, { share, createdWarm, movedWarm }] of replays) {
      expect(share, name).toBeLessThanOrEqual(1.1);
      expect([createdWarm, movedWarm], name).toEqual([0, 0]);
    }
  });
});
