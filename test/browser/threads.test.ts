import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDist } from '../cli/support.ts';
import { found, launch, openPage, skipNote } from './chromium.ts';
import { type Bundle, bundle, makeProject, type Project, serveBundle } from './site.ts';

const MAIN = `
import { k, openDevice } from 'autochunk/runtime';
import { WasmModule } from './node_modules/autochunk/dist/runtime/webasm/assembler/module.js';
import { i32 } from './node_modules/autochunk/dist/runtime/webasm/assembler/instructions.js';
import { Runner } from './node_modules/autochunk/dist/runtime/webasm/runner.js';
import { findThreads } from './node_modules/autochunk/dist/runtime/webasm/threads/host.js';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

globalThis.page = {
  /** Runs jobs of which every part writes its number, until a worker has taken part in one. */
  async help() {
    const host = await findThreads();
    if (!host) return { isolated: false };
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const runner = new Runner({ memory, threads: 3, host, workspaceOf: () => 0 });
    const module = new WasmModule();
    module.define(['i32', 'i32', 'i32'], (_, begin, end) => i32.store(i32.mul(begin, 4), end), 'run');
    const bytes = module.bytes({ maximumPages: 1, shared: true });
    const program = runner.load(new WebAssembly.Module(bytes));
    for (let attempt = 0; attempt < 1000 && runner.helped === 0; attempt++) {
      runner.run(program, [0, 10000], { at: 0, step: 1 });
      await pause(5);
    }
    const words = [...new Int32Array(memory.buffer).slice(0, 10000)];
    const { helped } = runner;
    await runner.end();
    return { isolated: true, mayWait: host.mayWait, helped, right: words.every((word, i) => word === i + 1) };
  },
  async multiply(threads) {
    const device = await openDevice({ backend: 'webasm', threads });
    const a = device.upload(Float32Array.from({ length: 256 * 256 }, (_, i) => Math.sin(i)), [256, 256]);
    const into = device.alloc([256, 256]);
    for (let i = 0; i < 20; i++) {
      k.matmul(a, a, { into });
      await pause(1);
    }
    const result = [...(await device.read(into))];
    const ran = device.threads;
    await device.destroy();
    return { threads: ran, result };
  },
};
`;

interface Product {
  readonly threads: number;
  readonly result: readonly number[];
}

describe.skipIf('reason' in found)(`threads in Chromium${skipNote}`, () => {
  let project: Project;
  let browser: Browser;
  let built: Bundle;
  beforeAll(async () => {
    buildDist();
    project = makeProject({ 'main.ts': MAIN }, {});
    built = await bundle(project);
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    project?.remove();
  });

  it('share the work in a page that is cross-origin isolated, minified', async () => {
    const served = await serveBundle(built, true);
    try {
      const { page, faults } = await openPage(browser, served.url);
      const help = await page.evaluate('page.help()');
      expect(help).toMatchObject({ isolated: true, mayWait: false, right: true });
      expect((help as { helped: number }).helped).toBeGreaterThan(0);
      const [one, three] = await Promise.all(
        [1, 3].map((threads) => page.evaluate<Product>(`page.multiply(${threads})`)),
      );
      expect([one?.threads, three?.threads]).toEqual([1, 3]);
      expect(three?.result).toEqual(one?.result);
      expect(faults).toEqual([]);
    } finally {
      await served.close();
    }
  });

  it('are one where memory cannot be shared', async () => {
    const served = await serveBundle(built);
    try {
      const { page, faults } = await openPage(browser, served.url);
      expect(await page.evaluate('page.help()')).toEqual({ isolated: false });
      expect((await page.evaluate<Product>('page.multiply(4)')).threads).toBe(1);
      expect(faults).toEqual([]);
    } finally {
      await served.close();
    }
  });
});
