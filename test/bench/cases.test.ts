import { expect, it } from 'vitest';
import { CASES } from '../../bench/compare/cases.ts';
import { FIGURE5 } from '../../bench/figure5-cases.ts';
import { exportGraph } from '../../bench/onnx/export-graph.ts';
import { ofSize } from '../../bench/sizes.ts';
import { specialise } from '../../src/compiler/passes/specialise.ts';
import { trace } from '../../src/index.ts';
import { randomData } from '../../src/testing/random.ts';

const small = (dims: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(dims).map(([name, extent]) => [name, Math.min(extent, 8)]));
const once = [...new Map(CASES.map((entry) => [entry.model, entry])).values()];

it.each(once.map((entry) => [entry.title, entry] as const))('%s can be written as ONNX', (_, entry) => {
  const graph = specialise(trace(entry.model), small(entry.dims));
  const { params } = randomData(graph, 1);
  for (const attention of ['ops', 'fused'] as const) {
    const onnx = exportGraph(graph, params, { attention });
    expect(onnx.outputs.map(({ shape }) => shape)).toEqual(
      graph.outputs
        .map(({ value }) => graph.nodes.find((node) => node.id === value && node.kind === 'op'))
        .map((node) => (node?.kind === 'op' ? node.shape : undefined)),
    );
    const isFused = onnx.nodes.some(({ op }) => op === 'MultiHeadAttention');
    expect(isFused).toBe(attention === 'fused');
    expect(onnx.nodes.some(({ op }) => op === 'Softmax')).toBe(!isFused);
  }
});

it('benchmarks have a quick case, a short set, and a long set that includes the short one', () => {
  for (const cases of [CASES, FIGURE5]) {
    expect(ofSize<{ size: 'quick' | 'short' | 'long' }>(cases, 'quick')).toHaveLength(1);
    expect(ofSize<{ size: 'quick' | 'short' | 'long' }>(cases, 'long')).toHaveLength(cases.length - 1);
  }
  expect(ofSize(FIGURE5, 'short').map(({ reference }) => reference)).toEqual(
    ['gpt2', 'vit', 'evoformer', 'unet'].map((name) => `bench/models/${name}.ts`),
  );
});
