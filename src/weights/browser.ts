/** `autochunk/weights` where there is no file system: bundlers for browsers take this instead of index.ts. */
import { UnsupportedError } from '../errors.ts';

export * from './data.ts';

/** A function of index.ts that opens files: it throws UnsupportedError, saying what to use instead. */
const withoutFiles =
  (name: string, instead: string) =>
  (path: string): never => {
    throw new UnsupportedError(`${name}: a browser has no file system to look for ${path} in. ${instead}.`);
  };

const PARSE =
  'Fetch each file and use parseSafetensors(new Uint8Array(await response.arrayBuffer())) from autochunk/weights';

export const findCheckpoint = withoutFiles('findCheckpoint', PARSE);
export const readCheckpoint = withoutFiles('readCheckpoint', PARSE);
export const readJsonObject = withoutFiles('readJsonObject', 'Fetch the file and use await response.json()');
export const readSafetensors = withoutFiles('readSafetensors', PARSE);
export const writeSafetensors = withoutFiles(
  'writeSafetensors',
  'Use encodeSafetensors and offer the bytes as a download',
);
