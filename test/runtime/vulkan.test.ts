import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { hasVulkanDriver } from '../../src/runtime/webgpu/vulkan.ts';

const home = mkdtempSync(join(tmpdir(), 'vulkan-'));
afterAll(() => rmSync(home, { recursive: true }));

it('believes the environment, and looks where the Vulkan loader looks', async () => {
  expect(await hasVulkanDriver({ VK_ICD_FILENAMES: '/some/icd.json' })).toBe(true);
  expect(await hasVulkanDriver({ VK_DRIVER_FILES: '/some/icd.json' })).toBe(true);
  const folder = join(home, '.local/share/vulkan/icd.d');
  mkdirSync(folder, { recursive: true });
  const before = await hasVulkanDriver({ HOME: home });
  writeFileSync(join(folder, 'driver.json'), '{}');
  expect(await hasVulkanDriver({ HOME: home })).toBe(true);
  // On a machine with a system-wide driver the folders of the system answer first.
  expect(before).toBe(await hasVulkanDriver({}));
});
