import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackendName } from '../../src/runtime/device.ts';
import { type BackendInfo, listBackends } from '../../src/runtime/open.ts';

const CHROMIUM_ICD = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Chromium's software Vulkan driver, where it is installed and nothing else was chosen. */
if (!process.env.VK_ICD_FILENAMES && !process.env.VK_DRIVER_FILES && existsSync(CHROMIUM_ICD)) {
  process.env.VK_ICD_FILENAMES = CHROMIUM_ICD;
  process.env.XDG_RUNTIME_DIR ??= mkdtempSync(join(tmpdir(), 'xdg-'));
}

const found = await listBackends();
const absent = found.filter((backend) => !backend.available);

for (const { backend, reason } of absent) {
  if (backend === 'webgpu' && process.env.AUTOCHUNK_REQUIRE_WEBGPU === '1') {
    throw new Error(`AUTOCHUNK_REQUIRE_WEBGPU=1, but webgpu is not available: ${reason}`);
  }
  console.warn(`tests on ${backend} are skipped: ${reason}`);
}

/** The backends to run tests on: `describe.each(testBackends)('… on %s', (backend) => …)`. */
export const testBackends: readonly BackendName[] = found
  .filter((backend: BackendInfo) => backend.available)
  .map(({ backend }) => backend);
