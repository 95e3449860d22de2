import { UnsupportedError } from '../../errors.ts';

/** The one version of gpu.js whose private parts this folder knows. */
export const GPUJS_VERSION = '2.24.1';

let checked: Promise<void> | undefined;

/**
 * Asserts that the installed gpu.js is the version this folder was written for. A bundle carries the version
 * it was built from, so there is nothing to ask there. Throws UnsupportedError.
 */
export function assertGpujsVersion(): Promise<void> {
  checked ??= installedVersion().then((version) => {
    if (version !== undefined && version !== GPUJS_VERSION) {
      throw new UnsupportedError(
        `autochunk compiles kernels with gpu.js ${GPUJS_VERSION}, but ${version} is installed. ` +
          `Run: npm install gpu.js@${GPUJS_VERSION} --save-exact`,
      );
    }
  });
  return checked;
}

async function installedVersion(): Promise<string | undefined> {
  if (typeof process === 'undefined' || !process.versions?.node || !import.meta.url.startsWith('file:')) {
    return undefined;
  }
  const moduleName = 'node:module';
  const { createRequire } = (await import(/* @vite-ignore */ moduleName)) as typeof import('node:module');
  try {
    return (createRequire(import.meta.url)('gpu.js/package.json') as { version: string }).version;
  } catch {
    return undefined;
  }
}
