import { describe, expect, test } from 'vitest';
import { weightNames as gpt2Names, gpt2Tiny } from '../../models/gpt2/model.ts';
import { weightNames as llamaNames, stories260K } from '../../models/llama/model.ts';
import { readStories260K } from '../../models/llama/weights.ts';
import { trace } from '../../src/trace/tracer.ts';
import { matchParameters, readSafetensors, type WeightTensor } from '../../src/weights/index.ts';
import { evalGraph } from '../support/eval-graph.ts';

/** What the fixtures allow a float64 implementation. */
const TOLERANCE = 2e-6;

function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] as number))), 0);
}

describe('traced models, interpreted in float64, against the original implementations', () => {
  test('llama: stories260K', () => {
    const { weights, storyTokens, referenceLogits } = readStories260K();
    const graph = trace(stories260K);
    const params = matchParameters(graph.params, weights.tensors, { ...llamaNames, file: weights.file });
    expect(params.size).toBe(47);
    const tokens = { shape: [201], data: storyTokens };
    const { logits } = evalGraph(graph, { N: 201 }, { tokens }, params);
    expect(logits?.shape).toEqual([201, 512]);
    expect(maxDifference(logits!.data, referenceLogits)).toBeLessThan(TOLERANCE);
  });

  test('gpt2: tiny', () => {
    const path = new URL('../fixtures/gpt2-tiny.safetensors', import.meta.url).pathname;
    const { tensors } = readSafetensors(path);
    const fixture = (name: string): WeightTensor => tensors.get(name)!.load();
    const graph = trace(gpt2Tiny);
    const params = matchParameters(graph.params, tensors, { ...gpt2Names, file: path });
    expect(params.size).toBe(28);
    const { logits } = evalGraph(graph, { N: 80 }, { tokens: fixture('input.tokens') }, params);
    expect(logits?.shape).toEqual([80, 128]);
    expect(maxDifference(logits!.data, fixture('output.logits').data)).toBeLessThan(TOLERANCE);
  });
});
