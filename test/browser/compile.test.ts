import { builtinModules } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stories260K } from '../../models/llama/model.ts';
import { buildDist } from '../cli/support.ts';
import { found, launch, openPage, skipNote } from './chromium.ts';
import { attention, compileAndRun, type Planned, planHalf } from './plan-models.ts';
import {
  type Bundle,
  bundle,
  makeProject,
  type Project,
  type Served,
  serveBundle,
  serveModules,
} from './site.ts';

const MAIN = `
import { attention, compileAndRun, planHalf } from './plan-models.ts';
import { stories260K } from './llama/model.ts';

globalThis.page = {
  plan: (name) => planHalf({ attention, stories260K }[name]),
  compileAndRun,
};
`;

/** How vite stands in for a builtin of Node, and how a chunk would ask for one. */
const isBuiltin = (id: string): boolean =>
  id.includes('__vite-browser-external') || id.startsWith('node:') || builtinModules.includes(id);

/** The modules whose code is really in these chunks. */
const modulesOf = (chunks: Bundle['atStart']): string[] =>
  chunks.flatMap(({ modules }) =>
    Object.keys(modules).filter((id) => (modules[id]?.renderedLength ?? 0) > 0),
  );

describe.skipIf('reason' in found)(`compiling in Chromium${skipNote}`, () => {
  let project: Project;
  let bundled: Bundle;
  let served: Served;
  let browser: Browser;
  let page: Page;
  let faults: string[];

  beforeAll(async () => {
    buildDist();
    project = makeProject(
      { 'main.ts': MAIN },
      { 'plan-models.ts': 'test/browser/plan-models.ts', llama: 'models/llama' },
    );
    bundled = await bundle(project);
    served = await serveBundle(bundled);
    browser = await launch();
    ({ page, faults } = await openPage(browser, served.url));
  });
  afterAll(async () => {
    await browser?.close();
    await served?.close();
    project?.remove();
  });

  it('needs no builtin of Node, and loads the code generator only when it is used', () => {
    const modules = modulesOf(bundled.atStart);
    expect(modules.some((id) => id.endsWith('/dist/trace/tracer.js'))).toBe(true);
    expect(modules.some((id) => id.endsWith('/dist/compiler/pipeline.js'))).toBe(true);
    expect(modules.filter(isBuiltin)).toEqual([]);
    expect(modules.filter((id) => id.includes('ts-morph'))).toEqual([]);
    const own = new Set(bundled.atStart.map((chunk) => chunk.fileName));
    expect(bundled.atStart.flatMap((chunk) => chunk.imports).filter((name) => !own.has(name))).toEqual([]);
    expect(modulesOf(bundled.later).some((id) => id.includes('ts-morph'))).toBe(true);
  });

  it.each([
    ['attention', attention],
    ['stories260K', stories260K],
  ] as const)('traces and plans %s as in Node', async (name, model) => {
    const planned = await page.evaluate<Planned>(`page.plan('${name}')`);
    expect(planned).toEqual(planHalf(model));
    expect(planned.loops.length).toBeGreaterThan(0);
    expect(faults).toEqual([]);
  });

  it('writes, loads and runs a module', async () => {
    type Compiled = Awaited<ReturnType<typeof compileAndRun>>;
    const { source, chunked, unchunked } = await page.evaluate<Compiled>('page.compileAndRun()');
    expect(source).toContain('for (let');
    for (const run of [chunked, unchunked]) expect(run.peakBytes).toBe(run.plannedPeakBytes);
    expect(chunked.peakBytes).toBeLessThanOrEqual(unchunked.peakBytes / 2);
    expect(Float32Array.from(chunked.values)).toEqual(Float32Array.from(unchunked.values));
    const inNode = await compileAndRun();
    // Chromium multiplies and adds in one rounding where Node does not unless it is asked to.
    expect(chunked.peakBytes).toBe(inNode.chunked.peakBytes);
    expect(unchunked.peakBytes).toBe(inNode.unchunked.peakBytes);
    const difference = unchunked.values.map((value, i) =>
      Math.abs(value - (inNode.unchunked.values[i] as number)),
    );
    expect(Math.max(...difference)).toBeLessThan(1e-5);
    expect(faults).toEqual([]);
  });

  it('traces and plans from modules that are neither bundled nor minified', async () => {
    const modules = await serveModules(project);
    try {
      const unbundled = await openPage(browser, modules.url);
      const planned = await unbundled.page.evaluate<Planned>(`page.plan('stories260K')`);
      expect(planned).toEqual(planHalf(stories260K));
      expect(unbundled.faults).toEqual([]);
    } finally {
      await modules.close();
    }
  });
});
