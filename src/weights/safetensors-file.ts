import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../errors.ts';
import { type ByteSource, parseSafetensors, type Safetensors } from './safetensors.ts';
import { encodeSafetensors, type TensorsToWrite } from './safetensors-encode.ts';

/**
 * Opens a safetensors file. Only the header is read now; each tensor is read from the file when it is loaded.
 *
 * @throws UserError when the file cannot be read or is malformed
 */
export function readSafetensors(path: string): Safetensors {
  return parseSafetensors(fileSource(path), path);
}

/**
 * Writes tensors to `path`, replacing it only once everything is written.
 *
 * @throws UserError when a tensor is inconsistent or the file cannot be written
 */
export function writeSafetensors(
  path: string,
  tensors: TensorsToWrite,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const bytes = encodeSafetensors(tensors, metadata);
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    writeFileSync(temporary, bytes);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new UserError(`cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** Opens the file for each read, so that nothing has to be closed by the user of the tensors. */
function fileSource(path: string): ByteSource {
  const size = withFile(path, (file) => fstatSync(file).size);
  return {
    size,
    read: (start, stop) =>
      withFile(path, (file) => {
        const bytes = new Uint8Array(stop - start);
        let filled = 0;
        while (filled < bytes.length) {
          const got = readSync(file, bytes, filled, bytes.length - filled, start + filled);
          if (got === 0) throw new UserError(`${path}: the file became shorter while it was read`);
          filled += got;
        }
        return bytes;
      }),
  };
}

function withFile<Result>(path: string, use: (file: number) => Result): Result {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  try {
    return use(file);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  } finally {
    closeSync(file);
  }
}
