import { describe, expect, test } from 'vitest';
import { ALPHAFOLD2 } from '../../models/evoformer/config.ts';
import { evoformer, evoformer48, evoformerSmall } from '../../models/evoformer/model.ts';
import { triangleMultiplication } from '../../models/evoformer/triangle.ts';
import { estimate } from '../../src/compiler/memory/estimate.ts';
import { lower } from '../../src/compiler/memory/lower.ts';
import { assignOffsets } from '../../src/compiler/memory/offsets.ts';
import { simplify } from '../../src/compiler/passes/simplify.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { plan } from '../../src/compiler/pipeline.ts';
import { defineModel, f32, matmul, nn, permute, reshape, unsqueeze } from '../../src/index.ts';
import type { Graph, OpNode } from '../../src/ir/node.ts';
import type { Budget } from '../../src/ir/plan.ts';
import { verify } from '../../src/ir/verify.ts';
import * as runtime from '../../src/runtime/index.ts';
import { comparePlan } from '../../src/testing/index.ts';
import { trace } from '../../src/trace/tracer.ts';
import { type HandLoop, placeByHand } from '../support/hand-plan.ts';

const graph = trace(evoformer);
const share = (of: number): Budget => ({ kind: 'share', share: of });
const MIN: Budget = { kind: 'min' };
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

const isWithin = (scope: string, { scope: path }: OpNode): boolean =>
  path === scope || path.startsWith(`${scope}.`);
const lastIn = (scope: string, { nodes }: Graph): string =>
  nodes.findLast((node) => node.kind === 'op' && isWithin(scope, node))!.id;

/**
 * The loops of OpenFold's inference with `chunk_size` 4: `chunk_layer` over the leading axes of every attention,
 * transition and outer product mean, which in one protein is one axis: sequences or residues. Inside are what
 * OpenFold passes to `chunk_layer`: layer norm and attention of the MSA, attention (but neither layer norm nor the
 * biases) of triangles, whole transitions, product and projection of the outer product mean. Triangle multiplication
 * and the residual sums run whole.
 */
function openFoldLoops(whole: Graph): HandLoop[] {
  const part = (result: string, ...inside: string[]): HandLoop => ({
    result: lastIn(result, whole),
    axis: 0,
    chunkSize: 4,
    inside: (node) => inside.some((scope) => isWithin(scope, node)),
  });
  const { id: outer } = whole.nodes.find(({ id }) => id === 'outer')!;
  const projection = part('outer_product_mean.linear_out');
  return [
    part('msa_att_row.mha', 'msa_att_row.mha', 'msa_att_row.layer_norm_m'),
    part('msa_att_col._msa_att.mha', 'msa_att_col._msa_att.mha', 'msa_att_col._msa_att.layer_norm_m'),
    part('msa_transition', 'msa_transition'),
    { ...projection, inside: ({ id }) => [outer, 'flat', projection.result].includes(id) },
    part('pair_stack.tri_att_start.mha', 'pair_stack.tri_att_start.mha'),
    part('pair_stack.tri_att_end.mha', 'pair_stack.tri_att_end.mha'),
    part('pair_stack.pair_transition', 'pair_stack.pair_transition'),
  ];
}

describe('one block of AlphaFold 2, 128 sequences', () => {
  test.each([
    ['min', 256, MIN],
    ['min', 512, MIN],
    ['20 %', 256, share(0.2)],
    ['20 %', 512, share(0.2)],
  ])(
    "%s at %i residues: within the budget; the smallest peak is below that of OpenFold's loops",
    (name, N_res, budget) => {
      const dims = { N_seq: 128, N_res };
      const whole = simplify(specialise(graph, dims));
      const openFold = placeByHand(whole, openFoldLoops(whole));
      verify(openFold);
      const loops = openFold.nodes.flatMap((node) => (node.kind === 'loop' ? [node] : []));
      expect(loops.map(({ chunkSize }) => chunkSize)).toEqual(Array(7).fill(4));
      const theirs = estimate(lower(openFold, {}, { inPlace: false })).peakBytes;
      const inPlace = estimate(lower(openFold)).peakBytes;
      const { planned, unchunked, budgetBytes } = plan(graph, { dims, budget, backend: 'webasm' });
      console.log(
        `${N_res} residues: unchunked ${mib(unchunked.peakBytes)}, OpenFold's loops ${mib(theirs)}, ${mib(inPlace)} in place, ` +
          `autochunk ${name} ${mib(planned.peakBytes)} ` +
          `(${((100 * planned.peakBytes) / theirs).toFixed(1)} % of OpenFold's)`,
      );
      expect(theirs).toBeLessThan(unchunked.peakBytes);
      // Within a budget the compiler takes the cheapest loops, not the lowest peak.
      if (name === 'min') expect(planned.peakBytes).toBeLessThan(Math.min(0.66 * theirs, inPlace));
      if (name === 'min' && N_res === 256) expect(planned.peakBytes).toBeLessThanOrEqual(105 * 2 ** 20);
      expect(planned.peakBytes).toBeLessThanOrEqual(budgetBytes);
    },
  );
});

test('all 48 blocks fit the share of memory that one fits', () => {
  const { planned, budgetBytes } = plan(trace(evoformer48), {
    dims: { N_seq: 128, N_res: 256 },
    budget: share(0.2),
    backend: 'webasm',
  });
  expect(planned.peakBytes).toBeLessThanOrEqual(budgetBytes);
});

test('triangle multiplication, its input and its result take 3.1 pair representations', () => {
  const model = defineModel(
    'triangle',
    { z: f32('N_res', 'N_res', 128), mask: f32('N_res', 'N_res') },
    (x) => ({
      update: triangleMultiplication(x.z, x.mask, ALPHAFOLD2, 'outgoing'),
    }),
  );
  const { planned } = plan(trace(model), { dims: { N_res: 128 }, budget: MIN, backend: 'webasm' });
  expect(planned.peakBytes).toBeLessThanOrEqual(3.1 * 128 ** 3 * 4);
});

test('an outer product mean takes 2 MiB beside its projections and its result', () => {
  const projection = f32('N_seq', 'N_res', 32);
  const model = defineModel('outer-product', { a: projection, b: projection }, ({ a, b }) => {
    const outer = matmul(unsqueeze(permute(a, [1, 2, 0]), 1), unsqueeze(permute(b, [1, 0, 2]), 0));
    return { z: nn.linear('linear_out', reshape(outer, ['N_res', 'N_res', 1024]), 128) };
  });
  const dims = { N_seq: 128, N_res: 128 };
  const { planned } = plan(trace(model), { dims, budget: MIN, backend: 'webasm' });
  const surface = (2 * 128 * 128 * 32 + 128 ** 3) * 4;
  expect(planned.peakBytes).toBeLessThanOrEqual(surface + 2 * 2 ** 20);
});

test('where nothing is taken over, loops of one multiplication keep one pair representation less whole', () => {
  const kept = { ...graph, inputs: graph.inputs.map(({ donated: _, ...input }) => input) };
  const { planned } = plan(kept, { dims: { N_seq: 128, N_res: 256 }, budget: MIN, backend: 'webasm' });
  expect(planned.peakBytes).toBeLessThanOrEqual(162 * 2 ** 20);
});

describe('the small block with 112 residues, on webasm', () => {
  const small = trace(evoformerSmall);

  test.each([
    ['50 %', share(0.5)],
    ['20 %', share(0.2)],
    ['min', MIN],
  ])('chunked at %s: the same bits and the planned peak', async (_, budget) => {
    const chunked = plan(small, { dims: { N_seq: 4, N_res: 112 }, budget, backend: 'webasm' });
    expect(chunked.loops.length).toBeGreaterThan(0);
    expect(chunked.planned.peakBytes).toBeLessThanOrEqual(chunked.budgetBytes);
    const device = await runtime.openDevice({ backend: 'webasm' });
    expect((await comparePlan(chunked, device)).failures).toEqual([]);
    await device.destroy();
  });
});

test("OpenFold's loops compute the same, in the memory estimated for them", async () => {
  const compiled = plan(trace(evoformerSmall), {
    dims: { N_seq: 6, N_res: 11 },
    budget: share(1),
    backend: 'webasm',
  });
  const byHand = placeByHand(compiled.graph, openFoldLoops(compiled.graph));
  const program = lower(byHand);
  const device = await runtime.openDevice({ backend: 'webasm' });
  const hand = {
    ...compiled,
    graph: byHand,
    program,
    planned: estimate(program),
    arena: assignOffsets(program),
  };
  expect((await comparePlan(hand, device)).failures).toEqual([]);
  await device.destroy();
});
