import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVOFORMER_SMALL } from '../../models/evoformer/config.ts';
import {
  evoformer,
  evoformer48,
  evoformerSmall,
  evoformerStack,
  weightNames,
} from '../../models/evoformer/model.ts';
import { compileGraph, generate, loadModule, unchunkedPlan } from '../../src/compile.ts';
import { BudgetError } from '../../src/compiler/budget.ts';
import type { Model } from '../../src/dsl/model.ts';
import type { Plan } from '../../src/ir/plan.ts';
import * as runtime from '../../src/runtime/index.ts';
import { trace } from '../../src/trace/tracer.ts';
import {
  matchParameters,
  readSafetensors,
  type StoredTensor,
  type WeightTensor,
} from '../../src/weights/index.ts';
import { testBackends } from '../support/backends.ts';
import { evalGraph } from '../support/eval-graph.ts';

const path = new URL('../fixtures/evoformer-small.safetensors', import.meta.url).pathname;
const { tensors } = readSafetensors(path);
const fixture = (name: string): WeightTensor => tensors.get(name)!.load();

const CASES = ['case0', 'case1'];
const INPUTS = ['m', 'z', 'msa_mask', 'pair_mask'];
const OUTPUTS = ['m', 'z'];
const dims = { N_seq: 6, N_res: 11 };
/** What the fixture allows a float32 and a float64 implementation. */
const TOLERANCE = 5e-5;
const FLOAT64_TOLERANCE = 2e-6;

const graph = trace(evoformerSmall);
const weights = matchParameters(graph.params, tensors, { ...weightNames, file: path });

function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}

const words = (data: Float32Array): Uint32Array => new Uint32Array(data.buffer, data.byteOffset, data.length);

describe('parameters', () => {
  const count = (model: Model): number =>
    trace(model).params.reduce((sum, { shape }) => sum + shape.reduce<number>((n, d) => n * Number(d), 1), 0);

  test('as many as in AlphaFold 2', () => {
    expect(count(evoformerSmall)).toBe(28_944);
    expect(count(evoformer)).toBe(1_829_952);
    // 48 blocks and the projection of the first sequence to the single representation.
    expect(count(evoformer48)).toBe(48 * 1_829_952 + 384 * 256 + 384);
  });

  test("all of OpenFold's names, those of the stack numbered", () => {
    expect(weights.size).toBe(93);
    const keys = trace(evoformer48).params.map(({ key }) => key);
    for (const { key } of graph.params) expect(keys).toContain(`blocks.47.${key}`);
    expect(keys).toHaveLength(48 * 93 + 2);
  });
});

test.each(CASES)('%s: the traced block, interpreted in float64, against OpenFold', (name) => {
  const inputs = Object.fromEntries(INPUTS.map((input) => [input, fixture(`${name}.${input}`)]));
  const outputs = evalGraph(graph, dims, inputs, weights);
  for (const output of OUTPUTS) {
    const reference = fixture(`${name}.${output}_out`);
    expect(outputs[output]?.shape).toEqual(reference.shape);
    expect(maxDifference(outputs[output]!.data, reference.data)).toBeLessThan(FLOAT64_TOLERANCE);
  }
});

describe('the stack', () => {
  const stack = (blocks: number) => trace(evoformerStack('stack', { ...EVOFORMER_SMALL, no_blocks: blocks }));
  /** The file of a whole model: every block with the weights of the small one. */
  const file = (blocks: number): Map<string, StoredTensor> => {
    const dict = new Map<string, StoredTensor>();
    for (const { key } of graph.params)
      for (let i = 0; i < blocks; i++) dict.set(`evoformer.blocks.${i}.${key}`, tensors.get(key)!);
    const first = tensors.get('outer_product_mean.linear_1.weight')!;
    const bias = tensors.get('outer_product_mean.linear_1.bias')!;
    dict.set('evoformer.linear.weight', first);
    dict.set('evoformer.linear.bias', bias);
    dict.set('structure_module.linear_in.weight', first);
    return dict;
  };
  const narrow = { ...EVOFORMER_SMALL, c_s: 8 };

  test('applies its blocks one after another, and projects the first sequence', () => {
    const twice = trace(evoformerStack('stack', narrow));
    const params = matchParameters(twice.params, file(2), weightNames);
    const inputs = Object.fromEntries(INPUTS.map((input) => [input, fixture(`case1.${input}`)]));
    const { m, z, s } = evalGraph(twice, dims, inputs, params);
    const once = evalGraph(graph, dims, inputs, weights);
    const again = evalGraph(graph, dims, { ...inputs, m: once.m!, z: once.z! }, weights);
    expect(m!.data).toEqual(again.m!.data);
    expect(z!.data).toEqual(again.z!.data);
    expect(s!.shape).toEqual([11, 8]);
    const { data: weight } = fixture('outer_product_mean.linear_1.weight');
    const { data: bias } = fixture('outer_product_mean.linear_1.bias');
    const expected = Array.from({ length: 11 * 8 }, (_, at) => {
      const [residue, channel] = [Math.floor(at / 8), at % 8];
      let sum = bias[channel] as number;
      for (let c = 0; c < 32; c++) sum += m!.data[residue * 32 + c]! * (weight[channel * 32 + c] as number);
      return sum;
    });
    expect(maxDifference(s!.data, expected)).toBeLessThan(1e-12);
  });

  test('files with other blocks, widths or old names get one report', () => {
    const more = file(3);
    const [old] = [...more.keys()].filter((key) =>
      key.includes('blocks.1.pair_stack.tri_att_end.mha.linear_o.bias'),
    );
    more.set(old!.replace('pair_stack', 'core'), more.get(old!)!);
    more.delete(old!);
    const report = (): unknown => matchParameters(stack(2).params, more, weightNames);
    expect(report).toThrow('missing (1):\n    blocks.1.pair_stack.tri_att_end.mha.linear_o.bias [16]');
    expect(report).toThrow('linear.weight: expected [24, 32], got [8, 32]');
    expect(report).toThrow('unexpected (94)');
    expect(report).not.toThrow('structure_module');
  });
});

describe.each(testBackends)('the small block on %s', (backend) => {
  let device: runtime.Device;
  beforeAll(async () => {
    device = await runtime.openDevice({ backend });
  });
  afterAll(() => device.destroy());

  /** Both cases through one module: outputs by case, and the peaks as planned. */
  async function run(plan: Plan): Promise<Float32Array[]> {
    const module = await loadModule(await generate(plan), runtime);
    const params = runtime.loadParameters(device, module.info.params, weights);
    const results: Float32Array[] = [];
    for (const name of CASES) {
      const inputs = Object.fromEntries(
        INPUTS.map((input) => {
          const { data, shape } = fixture(`${name}.${input}`);
          return [input, device.upload(data, shape)];
        }),
      );
      const { result, peakBytes } = await runtime.measure(device, () => module.run(device, inputs, params));
      expect(peakBytes).toBe(plan.planned.peakBytes);
      for (const output of OUTPUTS) {
        const data = await device.read(result[output]!);
        expect(maxDifference(data, fixture(`${name}.${output}_out`).data)).toBeLessThan(TOLERANCE);
        results.push(data);
      }
      // `m` and `z` were taken over.
      for (const tensor of [inputs.msa_mask!, inputs.pair_mask!, ...Object.values(result)]) tensor.free();
      expect(device.memory.liveBytes).toBe(0);
    }
    for (const tensor of Object.values(params)) tensor.free();
    return results;
  }

  test('agrees with OpenFold whole and in the smallest chunks, bit for bit the same', async () => {
    const { plan } = await compileGraph(graph, { dims, budget: 'min', backend });
    expect(plan.loops.length).toBeGreaterThan(0);
    const whole = await run(unchunkedPlan(plan));
    const chunked = await run(plan);
    chunked.forEach((data, i) => void expect(words(data)).toEqual(words(whole[i]!)));
  });

  test('a budget above that is met', async () => {
    const { plan } = await compileGraph(graph, { dims, budget: '80%', backend });
    expect(plan.planned.peakBytes).toBeLessThanOrEqual(plan.budgetBytes);
    await run(plan);
  });
});

// The representations, and the pairs before and after their update, are a third of so small a block.
test.each(['30%', '20%'])(
  'the small block: a budget of %s is refused with what can be met',
  async (budget) => {
    const refused = compileGraph(graph, { dims, budget, backend: 'cpu' });
    await expect(refused).rejects.toThrow(BudgetError);
    const { smallestPeakBytes, budgetBytes } = (await refused.catch(
      (error: unknown) => error,
    )) as BudgetError;
    expect(smallestPeakBytes).toBeGreaterThan(budgetBytes);
  },
);
