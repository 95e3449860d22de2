import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** WebGPU on SwiftShader whatever the machine has, and no traffic of the browser's own. */
const FLAGS = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-default-browser-check',
  '--no-first-run',
];

const required = process.env.AUTOCHUNK_REQUIRE_WEBGPU === '1';

/** The browser's program and, where there is none, why the tests of this tier are skipped. */
export const found = findChromium();

function findChromium(): { readonly path: string } | { readonly reason: string } {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const candidates = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const path = candidates.find(runs);
  if (path !== undefined) return { path };
  const reason = `no ${NAMES.join(', ')} on the PATH (on Debian: apt-get install chromium)`;
  if (required) throw new Error(`AUTOCHUNK_REQUIRE_WEBGPU=1, but there is no browser: ${reason}`);
  console.warn(`tests in the browser are skipped: ${reason}`);
  return { reason };
}

function runs(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return execFileSync(path, ['--version'], { encoding: 'utf8', stdio: 'pipe' }).length > 0;
  } catch {
    return false;
  }
}

/** For the names of test suites: why they are skipped, if they are. */
export const skipNote = 'reason' in found ? ` (skipped: ${found.reason})` : '';

export async function launch(): Promise<Browser> {
  if ('reason' in found) throw new Error(found.reason);
  return chromium.launch({ executablePath: found.path, chromiumSandbox: false, args: FLAGS });
}

/** Opens a page and waits until its script has set `globalThis.page`. Faults are collected as the page reports them. */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  await page.goto(url);
  await page
    .waitForFunction(() => 'page' in globalThis, undefined, { timeout: 20_000 })
    .catch((cause: unknown) => {
      throw new Error(`the page did not start: ${faults.join('; ')}`, { cause });
    });
  return { page, faults };
}
