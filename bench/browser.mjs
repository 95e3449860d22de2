#!/usr/bin/env node
/**
 * `npm run bench:browser`: autochunk beside other libraries on WebGPU in headless Chromium, with the same weights and inputs, outputs
 * compared. Takes the browser's adapter where it has one, else SwiftShader, which computes on the CPU: right results, slow ones, so
 * that the default then is the quick size. Writes bench/results/browser.md and browser.json.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findChromium, NO_CHROMIUM } from './compare/chromium.mjs';
import { planName } from './compare/plan-names.mjs';
import { comparisonPage, faultsOf, summarise } from './compare/report.mjs';
import { checkSize, commandLine, count, misused, root, setUp } from './setup.mjs';

const { values } = parseArgs({
  options: {
    chromium: { type: 'string' },
    size: { type: 'string' },
    cases: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    patience: { type: 'string', default: '20' },
    note: { type: 'string' },
  },
});
if (values.size !== undefined) checkSize(values.size);
const rounds = count('rounds', values.rounds);
const patience = count('patience', values.patience);
const executablePath = values.chromium ?? findChromium();
if (executablePath === undefined) misused(`${NO_CHROMIUM}; --chromium names another`);
if (!existsSync(executablePath)) misused(`--chromium: there is no ${executablePath}`);

await setUp({ peers: true });
const { chromium } = await import('playwright-core');
const { observeMachine } = await import('../dist/cli/bench-machine.js');
const { writeFileAtomically } = await import('../dist/cli/write-file.js');
const { describeMachine, markdownTable } = await import('../dist/report/bench.js');
const { CASES } = await import('./compare/cases.ts');
const { ofSize } = await import('./sizes.ts');
const { prepareCase } = await import('./compare/prepare.mjs');
const { bundlePage, serve } = await import('./compare/site.mjs');

const machine = observeMachine();
let caseFolder = '';
const site = await serve(await bundlePage(root), () => ({
  '/case/': caseFolder,
  '/ort/': join(root, 'bench', 'peers', 'node_modules', 'onnxruntime-web', 'dist'),
}));
const { browser, adapter } = await launch();
const isSoftware = /swiftshader/i.test(adapter);
const known = CASES.map(({ name }) => name);
const size = values.size ?? (isSoftware ? 'quick' : 'short');
const wanted = values.cases?.split(',') ?? ofSize(CASES, size).map(({ name }) => name);
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0)
  misused(`--cases: no case is named ${unknown.join(', ')}; there are ${known.join(', ')}`);

const results = [];
try {
  for (const entry of CASES.filter(({ name }) => wanted.includes(name))) results.push(await compare(entry));
} finally {
  await browser.close();
  site.close();
}
const report = {
  title: 'autochunk beside other libraries on webgpu, in Chromium',
  date: new Date().toISOString().slice(0, 10),
  command: commandLine('bench:browser'),
  machine: {
    ...machine(),
    engine: `Chromium ${browser.version()}, ${adapter}${isSoftware ? ' (software)' : ''}`,
  },
  note: values.note ?? null,
  rounds,
  patienceSeconds: patience,
  results,
};
const page = comparisonPage(report, { describeMachine, markdownTable });
writeFileAtomically('bench/results/browser.json', `${JSON.stringify(report, null, 2)}\n`);
writeFileAtomically('bench/results/browser.md', page);
process.stdout.write(page);
const faults = results.flatMap(faultsOf);
for (const fault of faults) process.stderr.write(`error: ${fault}\n`);
process.exit(faults.length > 0 ? 1 : 0);

/** With the adapter that the browser chooses; where there is none, with SwiftShader. */
async function launch() {
  for (const choice of [['--enable-features=Vulkan'], ['--use-webgpu-adapter=swiftshader']]) {
    const args = [
      '--enable-unsafe-webgpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      ...choice,
    ];
    const browser = await chromium.launch({ executablePath, chromiumSandbox: false, args });
    const page = await openPage(browser);
    const adapter = await page.evaluate('page.adapter()');
    await page.close();
    if (adapter !== null) return { browser, adapter };
    await browser.close();
  }
  process.stderr.write('error: this browser has no WebGPU adapter, not even SwiftShader\n');
  process.exit(1);
}

async function openPage(browser) {
  const page = await browser.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'info') process.stderr.write(`  ${message.text()}\n`);
  });
  await page.goto(site.url);
  await page
    .waitForFunction(() => 'page' in globalThis, undefined, { timeout: 60_000 })
    .catch((cause) => {
      throw new Error(`the page did not start: ${faults.join('; ')}`, { cause });
    });
  return page;
}

async function compare(entry) {
  process.stderr.write(`${entry.title}\n`);
  caseFolder = mkdtempSync(join(tmpdir(), 'autochunk-browser-'));
  const page = await openPage(browser);
  try {
    const plans = await prepareCase(entry, 'webgpu', caseFolder);
    const names = plans.map(({ label }) => planName(label));
    const settings = { rounds, patienceMs: patience * 1000 };
    const entries = await page.evaluate(
      ([names, settings]) => globalThis.page.compare(names, settings),
      [names, settings],
    );
    const planned = entries.map((one, i) =>
      plans[i] ? { ...one, plannedPeakBytes: plans[i].plannedPeakBytes } : one,
    );
    return { case: entry.name, title: entry.title, dims: entry.dims, contestants: summarise(planned) };
  } finally {
    await page.close();
    rmSync(caseFolder, { recursive: true, force: true });
  }
}
