import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import evoformer from '../../bench/models/evoformer.ts';
import gpt2 from '../../bench/models/gpt2.ts';
import unet from '../../bench/models/unet.ts';
import vit from '../../bench/models/vit.ts';
import { evoformer as donating } from '../../models/evoformer/model.ts';
import { stories260K } from '../../models/llama/model.ts';
import { BudgetError, parseBudget } from '../../src/compiler/budget.ts';
import { bytesOf } from '../../src/compiler/memory/estimate.ts';
import { assignOffsets } from '../../src/compiler/memory/offsets.ts';
import { ALIGNMENT, type Block, pack } from '../../src/compiler/memory/pack.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { UserError } from '../../src/errors.ts';
import type { Model } from '../../src/index.ts';
import type { Bindings } from '../../src/ir/dims.ts';
import { iterationOf, loopSizes } from '../../src/ir/loop.ts';
import type { Plan } from '../../src/ir/plan.ts';
import type { Step } from '../../src/ir/program.ts';
import * as runtime from '../../src/runtime/index.ts';
import { runPlan } from '../../src/testing/compare.ts';
import { programs } from '../../src/testing/index.ts';
import { randomData } from '../../src/testing/random.ts';
import { trace } from '../../src/trace/tracer.ts';

const aligned = (bytes: number): number => Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);

/** Runs a program on addresses: throws where storages overlap that are alive together. Returns where the last one ends. */
function checkOffsets({ program, arena }: Pick<Plan, 'program' | 'arena'>): number {
  const live = new Map<string, { at: number; end: number }>();
  let highest = 0;
  const take = (value: string, at: number, bytes: number): void => {
    const end = at + aligned(bytes);
    for (const [other, place] of live)
      if (at < place.end && place.at < end) throw new Error(`${value} overlaps ${other}`);
    live.set(value, { at, end });
    highest = Math.max(highest, end);
  };
  let start = 0;
  for (const { id, shape, donated } of program.inputs) {
    if (!donated) continue;
    take(id, start, bytesOf(shape, {}));
    start = highest;
  }
  const walk = (steps: readonly Step[], bindings: Bindings): void => {
    for (const step of steps) {
      if (step.kind === 'alloc')
        take(step.value, arena?.offsets.get(step.value) as number, bytesOf(step.shape, bindings));
      else if (step.kind === 'free') live.delete(step.value);
      else if (step.kind === 'loop') {
        const { loop } = step;
        for (let i = 0; i < loopSizes(loop).chunks; i++) walk(step.steps, iterationOf(loop, i, bindings));
      }
    }
  };
  walk(program.steps, {});
  return highest;
}

/** Bytes of the arena and of the inputs beside it, over the peak. */
function reservedShare({ program, arena, planned }: Plan): number {
  const beside = program.inputs
    .filter(({ donated }) => !donated)
    .reduce((sum, { shape }) => sum + aligned(bytesOf(shape, {})), 0);
  return ((arena?.bytes as number) + beside) / planned.peakBytes;
}

const MODELS: Readonly<Record<string, { model: Model; dims: Bindings }>> = {
  gpt2: { model: gpt2, dims: { N: 1024 } },
  vit: { model: vit, dims: {} },
  evoformer: { model: evoformer, dims: { N_seq: 64, N_res: 96 } },
  'evoformer, inputs donated': { model: donating, dims: { N_seq: 64, N_res: 96 } },
  unet: { model: unet, dims: { B: 1, H: 32, W: 32, L: 77 } },
  llama: { model: stories260K, dims: { N: 256 } },
};

describe('the arena of a program', () => {
  it('is at most 5 % larger than the peak, on all models at all budgets', { timeout: 240_000 }, () => {
    const rows: Record<string, Record<string, string>> = {};
    for (const [name, { model, dims }] of Object.entries(MODELS)) {
      const graph = trace(model);
      const bound = Object.fromEntries(graph.dims.map((dim) => [dim, dims[dim] ?? 1]));
      rows[name] = {};
      for (const budget of ['100%', '50%', '40%', '20%', 'min']) {
        let planned: Plan;
        try {
          planned = plan(graph, { dims: bound, budget: parseBudget(budget), backend: 'webasm' });
        } catch (error) {
          if (!(error instanceof BudgetError)) throw error;
          rows[name][budget] = '—';
          continue;
        }
        expect(checkOffsets(planned)).toBeLessThanOrEqual(planned.arena?.bytes as number);
        const share = reservedShare(planned);
        rows[name][budget] = share.toFixed(4);
        expect(share, `${name} at ${budget}`).toBeLessThanOrEqual(1.05);
      }
    }
    console.log('reserved ÷ live peak, with static offsets');
    console.table(rows);
  });

  it('never has storages overlap that are alive together, and is what the device reserves', async () => {
    const device = await runtime.openDevice({ backend: 'webasm' });
    await fc.assert(
      fc.asyncProperty(
        programs({ maxStatements: 14 }),
        fc.constantFrom('100%', '60%', 'min'),
        async (program, budget) => {
          let planned: Plan;
          try {
            planned = plan(trace(program.model), {
              dims: program.dims,
              budget: parseBudget(budget),
              backend: 'webasm',
            });
          } catch (error) {
            if (error instanceof UserError) return;
            throw error;
          }
          expect(checkOffsets(planned)).toBeLessThanOrEqual(planned.arena?.bytes as number);
          const run = await runPlan(planned, device, randomData(planned.graph, 1));
          expect(run.leakedBytes).toBe(0);
        },
      ),
      { numRuns: 60, seed: 11 },
    );
    await device.destroy();
  });

  it('begins with donated inputs and uses their memory again', () => {
    const graph = trace(donating);
    const planned = plan(graph, {
      dims: { N_seq: 8, N_res: 16 },
      budget: parseBudget('100%'),
      backend: 'webasm',
    });
    // Written in place, they become the outputs; unchunked, every op writes a storage of its own.
    const program = planned.unchunkedProgram;
    const donated = program.inputs.filter((input) => input.donated);
    const taken = donated.reduce((sum, { shape }) => sum + aligned(bytesOf(shape, {})), 0);
    const { bytes, offsets } = assignOffsets(program);
    expect(donated.length).toBeGreaterThan(0);
    expect([...offsets.values()].some((at) => at < taken)).toBe(true);
    expect(bytes).toBeLessThanOrEqual(1.05 * planned.unchunked.peakBytes);
  });
});

describe('pack', () => {
  const block = fc.record({
    bytes: fc.integer({ min: 1, max: 50 }),
    from: fc.nat(30),
    lives: fc.integer({ min: 1, max: 12 }),
  });

  it('keeps apart what is in use together, and wastes little', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 40 }), (drawn) => {
        const blocks = drawn.map(({ bytes, from, lives }): Block => ({ bytes, from, to: from + lives }));
        const { bytes, offsets } = pack(blocks, []);
        blocks.forEach((a, i) => {
          const at = offsets[i] as number;
          expect(at).toBeGreaterThanOrEqual(0);
          expect(at + a.bytes).toBeLessThanOrEqual(bytes);
          blocks.forEach((b, j) => {
            if (j >= i || a.from >= b.to || b.from >= a.to) return;
            const other = offsets[j] as number;
            expect(at + a.bytes <= other || other + b.bytes <= at).toBe(true);
          });
        });
        const most = Math.max(
          0,
          ...blocks.map(({ from }) =>
            blocks.reduce((sum, b) => sum + (b.from <= from && from < b.to ? b.bytes : 0), 0),
          ),
        );
        expect(bytes).toBeLessThanOrEqual(1.4 * most);
      }),
    );
  });
});
