import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { decodeGreedily } from '../../models/llama/decode.ts';
import { tellStory } from '../../models/llama/story.ts';
import type { BackendName } from '../../src/runtime/index.ts';
import { testBackends } from '../support/backends.ts';

const folder = mkdtempSync(join(tmpdir(), 'autochunk-story-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A software adapter takes seconds for a pass of 201 tokens; shorter ones have logits that alone exceed 20 %. */
const sizes = (backend: BackendName) =>
  backend === 'webgpu' ? ({ length: 96, budget: '50%' } as const) : ({ length: 201, budget: '20%' } as const);

describe.each(testBackends)('stories260K on %s', (backend) => {
  test('chunked, it keeps every promise and begins the story', async () => {
    const { length, budget } = sizes(backend);
    let printed = '';
    const result = await tellStory({
      backend,
      length,
      budget,
      steps: 2,
      rounds: 1,
      folder: join(folder, backend),
      print: (text) => {
        printed += text;
      },
    });
    expect(result.faults).toEqual([]);
    expect(result.backend).toBe(backend);
    const { measured } = result.comparison;
    expect(measured.chunked).toBe(result.compilation.plan.planned.peakBytes);
    expect(measured.chunked).toBeLessThanOrEqual((measured.unchunked * Number.parseInt(budget, 10)) / 100);
    expect(result.text).toBe('Once upon');
    expect(printed).toContain(result.text);
    expect(readFileSync(join(folder, backend, `llama.n${length}.ts`), 'utf8')).toBe(
      result.compilation.source,
    );
  });
});

test('greedy decoding takes the likeliest token, the first of equals, and reports each', async () => {
  const seen: number[][] = [];
  const next = async (tokens: readonly number[]) => (tokens.length === 1 ? [0, 2, 2] : [5, -1, 4]);
  expect(await decodeGreedily(next, [7], 2, (tokens) => seen.push([...tokens]))).toEqual([7, 1, 0]);
  expect(seen).toEqual([
    [7, 1],
    [7, 1, 0],
  ]);
});
