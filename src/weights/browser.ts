/** `autochunk/weights` where there is no file system: bundlers for browsers take this instead of index.ts. */
import { UnsupportedError } from '../errors.ts';

export * from './data.ts';

/** @throws UnsupportedError, always: it says what to use instead */
export function readSafetensors(path: string): never {
  throw new UnsupportedError(
    `readSafetensors: a browser opens no files (${path}). Fetch it and use ` +
      'parseSafetensors(new Uint8Array(await response.arrayBuffer())).',
  );
}

/** @throws UnsupportedError, always: it says what to use instead */
export function writeSafetensors(path: string): never {
  throw new UnsupportedError(
    `writeSafetensors: a browser writes no files (${path}). Use encodeSafetensors and offer the bytes as a download.`,
  );
}
