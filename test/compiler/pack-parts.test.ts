import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EVOFORMER_SMALL } from '../../models/evoformer/config.ts';
import { evoformerStack } from '../../models/evoformer/model.ts';
import { parseBudget } from '../../src/compiler/budget.ts';
import { ALIGNMENT, type Block, mostInUse, type Packing } from '../../src/compiler/memory/pack.ts';
import { packInParts } from '../../src/compiler/memory/pack-parts.ts';
import { timeCuts } from '../../src/compiler/memory/time-cuts.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { trace } from '../../src/trace/tracer.ts';

const UNIT = ALIGNMENT;

function expectSound(blocks: readonly Block[], fixed: readonly Block[], { bytes, offsets }: Packing): void {
  const placed = [...blocks.map((block, i) => ({ ...block, at: offsets[i] as number })), ...fixed];
  placed.sort((a, b) => a.from - b.from);
  let alive: typeof placed = [];
  for (const block of placed) {
    const at = block.at as number;
    expect(at).toBeGreaterThanOrEqual(0);
    expect(at % UNIT).toBe(0);
    expect(at + block.bytes).toBeLessThanOrEqual(bytes);
    alive = alive.filter(({ to }) => to > block.from);
    for (const other of alive)
      expect((other.at as number) >= at + block.bytes || at >= (other.at as number) + other.bytes).toBe(true);
    alive.push(block);
  }
}

/** Layers of equal blocks; a value goes from each to the next, which still reads it while it makes its own. */
function layered(layers: number, inner: readonly { from: number; life: number; units: number }[]): Block[] {
  const length = 100;
  return Array.from({ length: layers }, (_, layer) => [
    { bytes: 40 * UNIT, from: layer * length, to: (layer + 1) * length + 7 },
    ...inner.map(({ from, life, units }) => ({
      bytes: units * UNIT,
      from: layer * length + from,
      to: layer * length + Math.min(length, from + life),
    })),
  ]).flat();
}

describe('blocks of many equal layers', () => {
  const inner = fc.array(
    fc.record({
      from: fc.nat(99),
      life: fc.integer({ min: 1, max: 40 }),
      units: fc.integer({ min: 1, max: 60 }),
    }),
    { minLength: 5, maxLength: 30 },
  );

  it('never overlap while they live, whatever they are', () => {
    fc.assert(
      fc.property(inner, fc.integer({ min: 2, max: 40 }), fc.boolean(), (blocks, layers, hasFixed) => {
        const all = layered(layers, blocks);
        const fixed = hasFixed ? [{ bytes: 10 * UNIT, from: -1, to: Number.POSITIVE_INFINITY, at: 0 }] : [];
        const packing = packInParts(all, fixed);
        expectSound(all, fixed, packing);
        expect(packing.bytes).toBeGreaterThanOrEqual(mostInUse([...all, ...fixed]));
      }),
      { numRuns: 60 },
    );
  });

  it('are placed as tightly in forty layers as in two', () => {
    const one = [
      { from: 8, life: 60, units: 10 },
      { from: 10, life: 20, units: 45 },
      { from: 31, life: 9, units: 55 },
      { from: 41, life: 18, units: 20 },
      { from: 70, life: 5, units: 48 },
    ];
    const share = (layers: number): number => {
      const blocks = layered(layers, one);
      return packInParts(blocks, []).bytes / mostInUse(blocks);
    };
    expect(share(40)).toBeLessThanOrEqual(Math.max(1.01, share(2)));
  });

  it('are cut at equal moments', () => {
    const blocks = layered(12, [
      { from: 10, life: 30, units: 3 },
      { from: 20, life: 30, units: 5 },
    ]);
    const cuts = timeCuts(blocks, 10);
    const inLayer = (layer: number): number[] =>
      cuts.filter((at) => Math.floor(at / 100) === layer).map((at) => at % 100);
    expect(inLayer(5)).not.toEqual([]);
    for (let layer = 3; layer < 9; layer++) expect(inLayer(layer)).toEqual(inLayer(5));
    expect(timeCuts(blocks, blocks.length)).toEqual([]);
  });

  it('take at most 5 % more than the peak in a deep Evoformer', () => {
    const graph = trace(evoformerStack('deep', { ...EVOFORMER_SMALL, no_blocks: 12 }));
    for (const budget of ['50%', '30%']) {
      const { arena, planned } = plan(graph, {
        dims: { N_seq: 32, N_res: 64 },
        budget: parseBudget(budget),
        backend: 'webasm',
      });
      expect((arena?.bytes as number) / planned.peakBytes).toBeLessThanOrEqual(1.05);
    }
  });
});
