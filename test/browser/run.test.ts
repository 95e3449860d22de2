import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stories260K } from '../../models/llama/model.ts';
import { loadModule } from '../../src/codegen/load.ts';
import { compileModel, generate, unchunkedPlan } from '../../src/compile.ts';
import type { BackendName } from '../../src/runtime/index.ts';
import * as runtime from '../../src/runtime/index.ts';
import { buildDist } from '../cli/support.ts';
import { testBackends } from '../support/backends.ts';
import { found, launch, openPage, skipNote } from './chromium.ts';
import { type LlamaModule, type LlamaRun, runLlama } from './run-llama.ts';
import { bundle, makeProject, type Project, root, type Served, serveBundle, serveModules } from './site.ts';

const WEIGHTS = 'models/llama/stories260K/stories260K.safetensors';
const N = 64;
/** Between adapters and their drivers; one engine's WebAssembly and JavaScript give the same bits everywhere. */
const WEBGPU_TOLERANCE = 2e-4;

const MAIN = `
import * as chunked from './chunked.ts';
import * as unchunked from './unchunked.ts';
import { runLlama } from './run-llama.ts';
import weightsUrl from './weights.bin?url';

const modules = { chunked, unchunked };
const weights = fetch(weightsUrl).then((response) => response.arrayBuffer());
globalThis.page = {
  run: async (name, backend) => runLlama(modules[name], backend, new Uint8Array(await weights)),
};
`;

type Variant = 'chunked' | 'unchunked';
const bits = (values: readonly number[]): Uint32Array => new Uint32Array(Float32Array.from(values).buffer);

describe.skipIf('reason' in found)(`stories260K at N = ${N} in Chromium${skipNote}`, () => {
  const weights = new Uint8Array(readFileSync(join(root, WEIGHTS)));
  const sources = {} as Record<Variant, string>;
  const planned = {} as Record<Variant, number>;
  let project: Project;
  let browser: Browser;
  const inNode = new Map<BackendName, LlamaRun>();

  beforeAll(async () => {
    // As Chromium does by itself: the same bits follow.
    setFlagsFromString('--experimental-wasm-relaxed-simd');
    buildDist();
    const { plan, source } = await compileModel(stories260K, { dims: { N }, budget: 'min' });
    expect(plan.loops.length).toBeGreaterThan(0);
    Object.assign(sources, { chunked: source, unchunked: await generate(unchunkedPlan(plan)) });
    Object.assign(planned, { chunked: plan.planned.peakBytes, unchunked: plan.unchunked.peakBytes });
    expect(planned.chunked).toBeLessThan(planned.unchunked);
    project = makeProject(
      { 'main.ts': MAIN, 'chunked.ts': sources.chunked, 'unchunked.ts': sources.unchunked },
      { 'run-llama.ts': 'test/browser/run-llama.ts', 'weights.bin': WEIGHTS },
    );
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    project?.remove();
  });

  async function runInNode(backend: BackendName): Promise<LlamaRun> {
    const known = inNode.get(backend);
    if (known) return known;
    const module: LlamaModule = loadModule(sources.unchunked, runtime);
    const run = await runLlama(module, backend, weights);
    inNode.set(backend, run);
    return run;
  }

  /** Runs both variants in the page and holds them to the promises. */
  async function check(page: Page, backend: BackendName): Promise<void> {
    const run = (variant: Variant) => page.evaluate<LlamaRun>(`page.run('${variant}', '${backend}')`);
    const whole = await run('unchunked');
    const pieces = await run('chunked');
    for (const [variant, result] of [
      ['unchunked', whole],
      ['chunked', pieces],
    ] as const) {
      expect(result.backend).toBe(backend);
      expect(result.peakBytes, `measured peak, ${variant}`).toBe(planned[variant]);
      expect(result.leftBytes, `left behind, ${variant}`).toBe(0);
      expect(result.logits).toHaveLength(N * 512);
    }
    expect(bits(pieces.logits)).toEqual(bits(whole.logits));

    const reference = await runInNode(testBackends.includes(backend) ? backend : 'webasm');
    expect(reference.peakBytes).toBe(planned.unchunked);
    if (backend === 'webgpu') {
      expect(whole.adapter).toMatch(/swiftshader/i);
      const difference = whole.logits.map((value, i) => Math.abs(value - (reference.logits[i] as number)));
      expect(Math.max(...difference)).toBeLessThanOrEqual(WEBGPU_TOLERANCE);
    } else {
      expect(bits(whole.logits)).toEqual(bits(reference.logits));
    }
  }

  describe('in a minified bundle', () => {
    let served: Served;
    let page: Page;
    let faults: string[];
    beforeAll(async () => {
      served = await serveBundle(await bundle(project));
      ({ page, faults } = await openPage(browser, served.url));
    });
    afterAll(() => served?.close());

    it.each(['webgpu', 'webasm', 'cpu'] as const)('keeps its promises on %s, as in Node', async (backend) => {
      await check(page, backend);
      expect(faults).toEqual([]);
    });
  });

  it('keeps its promises on webasm, as in Node, from modules that are neither bundled nor minified', async () => {
    const served = await serveModules(project);
    try {
      const { page, faults } = await openPage(browser, served.url);
      await check(page, 'webasm');
      expect(faults).toEqual([]);
    } finally {
      await served.close();
    }
  });
});
